import { waitText } from "./http.js";

const TICK_MS = 1_000;

/**
 * Counts down the last words of a message, "in 30 seconds.", until they are over or the message is another one.
 * A screen reader reads the message once: a timer is a live region that is silent.
 */
export function countDown(message, seconds, whenOver) {
  const ends = Date.now() + seconds * 1_000;
  const timer = document.createElement("span");
  timer.setAttribute("role", "timer");
  timer.textContent = waitText(seconds);
  message.textContent = message.textContent.slice(0, -`${timer.textContent}.`.length);
  message.append(timer, ".");

  function tick() {
    if (!timer.isConnected) return;
    const left = Math.ceil((ends - Date.now()) / 1_000);
    if (left <= 0) return whenOver();
    timer.textContent = waitText(left);
    setTimeout(tick, TICK_MS);
  }

  setTimeout(tick, TICK_MS);
}
