import { hasLiveToken, onTokenChange } from "./auth.js";

const NOTICE_KEY = "notice";

/** The notice for a session that ended without the visitor asking for it. */
export const SESSION_ENDED = {
  kind: "info",
  text: "Your session has ended. Please sign in again.",
};

/** Leaves a notice ({ kind, text, email }) for the next login page in this tab. */
export function leaveNotice(notice) {
  try {
    sessionStorage.setItem(NOTICE_KEY, JSON.stringify(notice));
  } catch {
    // A notice is a courtesy: without storage the visitor goes on without it.
  }
}

/** Takes the notice left for this page, once; null when there is none. */
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

/** Goes to the dashboard. */
export function goToDashboard() {
  location.replace("/dashboard.html");
}

/** Sends a signed-in visitor to the dashboard, now and whenever another tab signs in. */
export function followSession() {
  const follow = () => {
    if (hasLiveToken()) goToDashboard();
  };
  onTokenChange(follow);
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) follow();
  });
  follow();
}
