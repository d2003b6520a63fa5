/** Puts a moment into a time element, in the visitor's language and zone. */
export function setTime(element, moment, format = { dateStyle: "medium", timeStyle: "short" }) {
  const date = new Date(moment);
  element.dateTime = date.toISOString();
  element.textContent = new Intl.DateTimeFormat(undefined, format).format(date);
}

/** Names a span of milliseconds that is left. */
export function timeLeft(milliseconds) {
  const minutes = Math.round(milliseconds / 60_000);
  if (minutes < 1) return "Under a minute left";
  if (minutes < 120) return minutes === 1 ? "1 minute left" : `${minutes} minutes left`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} hours left` : `${Math.round(hours / 24)} days left`;
}
