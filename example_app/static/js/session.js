import { hasEnded, isSignedIn, onTokenChange } from "./token.js";

const NOTICE_KEY = "notice";
const PAUSE_MS = 1_500;

const SIGNED_OUT = { kind: "success", text: "You are signed out." };
const SESSION_ENDED = { kind: "info", text: "Your session has ended. Please sign in again." };

/** The notice for a visitor who is signed out: by a button in one of the tabs, or without having asked for it. */
export function farewell() {
  return hasEnded() ? SESSION_ENDED : SIGNED_OUT;
}

/** Leaves a notice ({ kind, text, email }) for the next login page in this tab. */
export function leaveNotice(notice) {
  try {
    sessionStorage.setItem(NOTICE_KEY, JSON.stringify(notice));
  } catch {
    // A notice is a courtesy: without storage the visitor goes on without it.
  }
}

/** Takes the notice left for the login page, once; null when there is none. */
export function takeNotice() {
  try {
    const notice = JSON.parse(sessionStorage.getItem(NOTICE_KEY));
    sessionStorage.removeItem(NOTICE_KEY);
    return notice;
  } catch {
    return null;
  }
}

// Both moves replace the current page, so that Back never leads to a page of the other state.

/** Goes to the login page, with a notice to show there. */
export function goToLogin(notice) {
  if (notice) leaveNotice(notice);
  location.replace("/");
}

/** Goes to the login page once the visitor has read what happened. */
export function goToLoginSoon(notice) {
  setTimeout(goToLogin, PAUSE_MS, notice);
}

/** Goes to the dashboard. */
export function goToDashboard() {
  location.replace("/dashboard.html");
}

/** Sends a signed-in visitor to the dashboard: whenever another tab signs in, and at once unless told to wait. */
export function followSession({ wait = false } = {}) {
  const follow = () => {
    if (isSignedIn()) goToDashboard();
  };
  onTokenChange(follow);
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) follow();
  });
  if (!wait) follow();
}
