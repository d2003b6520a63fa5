import { clearToken, currentUser, explain, getToken, logout, onTokenChange, tokenTimes } from "./auth.js";
import { startBusy } from "./form.js";
import { SESSION_ENDED, goToLogin } from "./session.js";

const CLOCK_MS = 15_000;
const SIGNED_OUT = { kind: "success", text: "You are signed out." };
const SIGNED_OUT_HERE = {
  kind: "info",
  text: "You are signed out in this browser. The server could not be told, so the session ends there when its token does.",
};

const find = (selector) => document.querySelector(selector);
const app = find("#app");
const views = ["#loading", "#account", "#failure"].map(find);
const logoutButton = find("#logout");
const retryButton = find("#retry");
let latestLoad = 0;
let clock;

function show(id) {
  for (const view of views) view.hidden = view.id !== id;
}

function leave(notice) {
  forget();
  app.hidden = true;
  goToLogin(notice);
}

/** Takes the account off the page and makes any answer still under way come to nothing. */
function forget() {
  latestLoad += 1;
  clearInterval(clock);
  for (const place of document.querySelectorAll("#account [data-value]")) place.textContent = "";
  show("loading");
}

async function load() {
  const token = getToken();
  if (!token) return leave();
  const thisLoad = (latestLoad += 1);
  const started = performance.now();
  try {
    const user = await currentUser(token);
    if (thisLoad === latestLoad) render(user, token, performance.now() - started);
  } catch (error) {
    if (thisLoad === latestLoad) fail(error, token);
  }
}

function fail(error, token) {
  if (error.status !== 401 && error.status !== 404) {
    find("#failure-reason").textContent = explain(error);
    return show("failure");
  }
  // Another tab may have signed in meanwhile: its token is not the one that was refused.
  if (getToken() !== token) return load();
  clearToken();
  leave(SESSION_ENDED);
}

function render(user, token, milliseconds) {
  find("[data-user-id]").textContent = user.id;
  find("[data-user-email]").textContent = user.email;
  find("[data-user-initial]").textContent = [...user.email][0].toUpperCase();
  setTime(find("[data-user-created]"), new Date(user.created_at), { dateStyle: "long", timeStyle: "short" });
  find("[data-request-time]").textContent = `${Math.max(1, Math.round(milliseconds))} ms`;
  renderSession(tokenTimes(token));
  show("account");
}

function renderSession({ issued, ends }) {
  clearInterval(clock);
  const known = ends > Date.now();
  find("#session").hidden = !known;
  if (!known) return;

  const bar = find("#session progress");
  bar.max = (ends - (issued || Date.now())) / 1000;
  setTime(find("[data-session-end]"), new Date(ends), { dateStyle: "medium", timeStyle: "short" });
  const tick = () => {
    const left = ends - Date.now();
    bar.value = Math.max(0, left / 1000);
    find("[data-session-left]").textContent = timeLeft(left);
    if (left > 0) return;
    clearInterval(clock);
    load();
  };
  clock = setInterval(tick, CLOCK_MS);
  tick();
}

function timeLeft(milliseconds) {
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 1) return "Under a minute left";
  if (minutes < 120) return minutes === 1 ? "1 minute left" : `${minutes} minutes left`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} hours left` : `${Math.floor(hours / 24)} days left`;
}

function setTime(element, date, format) {
  element.dateTime = date.toISOString();
  element.textContent = new Intl.DateTimeFormat(undefined, format).format(date);
}

async function retry() {
  const release = startBusy(retryButton, "Trying again…");
  await load();
  release();
  // The button is gone when the account is there: the focus goes on with the content.
  if (!find("#account").hidden) find("#main").focus();
}

async function signOut() {
  startBusy(logoutButton, "Signing out…");
  const token = getToken();
  const told = await logout(token).then(() => true, () => false);
  clearToken();
  leave(told ? SIGNED_OUT : SIGNED_OUT_HERE);
}

function enter() {
  if (!getToken()) return leave();
  app.hidden = false;
  show("loading");
  load();
}

logoutButton.addEventListener("click", signOut);
retryButton.addEventListener("click", retry);
onTokenChange((token) => (token ? load() : leave(SIGNED_OUT)));
// The browser may keep the page to bring it back on Back: it must not keep the account with it.
addEventListener("pagehide", forget);
addEventListener("pageshow", ({ persisted }) => {
  if (persisted) enter();
});
enter();
