// What the tabs of this browser share of a session. Its refresh token is in a cookie that no script can read.
import { ApiError } from "./http.js";

const TOKEN_KEY = "access_token";
const NOTE_KEY = "access_token_note";
const CSRF_COOKIE = "__Host-secureauth_csrf";
const SHARED = "secureauth";
const NEWS_MS = 50;

const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(SHARED) : null;
let known = getToken();

/** The stored access token, or null. */
export function getToken() {
  return read(TOKEN_KEY);
}

/** When the access token runs out by this computer's clock, in milliseconds; null when nobody said. */
export function tokenEnd() {
  return readNote().ends ?? null;
}

/** Whether there is a session in this browser, for all that one can see from here. */
export function isSignedIn() {
  // The cookies of a session that is not to be remembered go with the browser's last window; so must its token.
  if (readNote().renewable && !csrfToken()) forget();
  return getToken() !== null || csrfToken() !== "";
}

/** Stores the access token of an answer, tells the other tabs, and returns it. */
export function keep({ access_token: token, expires_in: seconds }) {
  if (typeof token !== "string") throw new ApiError(502);
  const ends = Number.isFinite(seconds) ? Date.now() + seconds * 1000 : null;
  try {
    localStorage.setItem(NOTE_KEY, JSON.stringify({ ends, renewable: csrfToken() !== "" }));
    localStorage.setItem(TOKEN_KEY, token);
  } catch {
    throw new ApiError(0, { error: "This browser blocks site storage, which signing in needs here." });
  }
  tell(token);
  return token;
}

/** Forgets the session here and in the other tabs; `hasEnded` says that the server ended it, not the visitor. */
export function forget({ hasEnded = false } = {}) {
  document.cookie = `${CSRF_COOKIE}=; Path=/; Max-Age=0; Secure; SameSite=Strict`;
  try {
    localStorage.setItem(NOTE_KEY, JSON.stringify({ hasEnded }));
    localStorage.removeItem(TOKEN_KEY);
  } catch {
    // Storage that cannot be reached holds no token either.
  }
  tell(null);
}

/** Whether the session that was forgotten last, in any tab, had been ended by the server. */
export function hasEnded() {
  return readNote().hasEnded === true;
}

/** Calls back with the new token, or null, when another tab signs in or out or refreshes. */
export function onTokenChange(callback) {
  const look = () => {
    const token = getToken();
    if (token === known) return;
    known = token;
    callback(token);
  };
  // Both bring the same news, and a browser may have only one of them.
  channel?.addEventListener("message", look);
  addEventListener("storage", ({ key }) => {
    // A null key means that the other tab emptied the whole storage.
    if (key === TOKEN_KEY || key === null) look();
  });
}

/** What proves to the server that a request with cookies comes from this site; empty without a session. */
export function csrfToken() {
  const name = `${CSRF_COOKIE}=`;
  const found = document.cookie.split("; ").find((cookie) => cookie.startsWith(name));
  return found ? found.slice(name.length) : "";
}

/** Does work that changes the session, while no other tab does. A browser without locks does it at once. */
export async function alone(work) {
  if (!navigator.locks) return work();
  return new Promise((resolve, reject) => {
    const hold = async () => {
      await Promise.resolve().then(work).then(resolve, reject);
      // What was stored takes its own way to the other tabs, and is late for about one turn in twenty. Let it arrive.
      await new Promise((done) => setTimeout(done, NEWS_MS));
    };
    navigator.locks.request(SHARED, hold).catch(reject);
  });
}

function tell(token) {
  known = token;
  channel?.postMessage("changed");
}

function readNote() {
  try {
    return JSON.parse(read(NOTE_KEY)) ?? {};
  } catch {
    return {};
  }
}

function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
