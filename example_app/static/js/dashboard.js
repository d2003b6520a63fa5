import { currentUser, listSessions } from "./auth.js";
import { setUpProtectedPage } from "./protected.js";
import { setUpSessions } from "./sessions.js";
import { setTime, timeLeft } from "./time.js";
import { isSignedIn, tokenEnd } from "./token.js";

// Less than the ten seconds for which the server repeats the answer to a refresh that was lost on its way.
const CLOCK_MS = 5_000;

const find = (selector) => document.querySelector(selector);
const page = setUpProtectedPage({ fill, clear });
const sessionsCard = setUpSessions(find("#sessions"), page);
let session = null;
let clock;

function fill(attempt) {
  return Promise.all([attempt(loadAccount), attempt(loadSessions, sessionsCard.fail)]);
}

function clear() {
  clearTimeout(clock);
  sessionsCard.clear();
  session = null;
}

async function loadAccount() {
  const started = performance.now();
  const user = await currentUser();
  return () => renderAccount(user, performance.now() - started);
}

async function loadSessions() {
  const sessions = await listSessions();
  return () => {
    sessionsCard.show(sessions);
    session = sessions.find(({ current }) => current) ?? null;
    renderSession();
  };
}

function renderAccount(user, milliseconds) {
  find("[data-user-id]").textContent = user.id;
  find("[data-user-email]").textContent = user.email;
  find("[data-user-initial]").textContent = [...user.email][0].toUpperCase();
  setTime(find("[data-user-created]"), user.created_at, { dateStyle: "long", timeStyle: "short" });
  find("[data-request-time]").textContent = `${Math.max(1, Math.round(milliseconds))} ms`;
  page.show();
  watch();
}

function renderSession() {
  find("#session").hidden = session === null;
  if (session === null) return;

  const [began, ends] = [session.created_at, session.expires_at].map((text) => Date.parse(text));
  const left = Math.max(0, ends - Date.now());
  const bar = find("#session progress");
  bar.max = ends - began;
  bar.value = left;
  find("[data-session-left]").textContent = timeLeft(left);
  setTime(find("[data-session-end]"), ends);
  find("#token").hidden = tokenEnd() === null;
  setTime(find("[data-token-end]"), tokenEnd(), { timeStyle: "short" });
}

/** Keeps the times right, and the token fresh while somebody looks at the page. */
function watch() {
  if (!isSignedIn()) return page.leave();
  clearTimeout(clock);
  const left = (tokenEnd() ?? Infinity) - Date.now();
  clock = setTimeout(watch, left > 0 ? Math.min(left, CLOCK_MS) : CLOCK_MS);
  renderSession();
  if (left <= 0 && !document.hidden && !page.isLoading()) page.load({ quietly: true });
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && page.isShown()) watch();
});
