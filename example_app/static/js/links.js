// What mailed links lead to, and how to ask for them. None of it needs a session.
import { request } from "./http.js";

const TOKEN = /^[\w-]+$/;

/**
 * Takes the token of a mailed link out of the address bar and returns it; empty without one.
 * A fragment goes to no server; and from now on it is neither on the screen nor behind the Back button.
 */
export function takeToken() {
  // Another link, opened in this very tab, changes the fragment alone.
  addEventListener("hashchange", () => {
    if (tokenInAddress()) location.reload();
  });
  const token = tokenInAddress();
  if (location.hash) history.replaceState(null, "", location.pathname);
  return token;
}

/** Whether a token does not work, or not any more. */
export function isUsedUp({ code }) {
  return code === "one_time_token_invalid";
}

/** Asks for a link to a new password. */
export function askForReset(email) {
  return request("POST", "/auth/password-reset", { body: { email } });
}

/** Replaces the password of whoever got the link. */
export function resetPassword(token, newPassword) {
  return request("POST", "/auth/password-reset/confirm", { body: { token, new_password: newPassword } });
}

/** Asks for another link that verifies an address. */
export function askForVerification(email) {
  return request("POST", "/auth/email-verification", { body: { email } });
}

/** Verifies the address that got the link; the password shows that its owner has made the account. */
export function verifyEmail(token, password) {
  return request("POST", "/auth/email-verification/confirm", { body: { token, password } });
}

/** Confirms the change of an address. */
export function confirmEmailChange(token) {
  return request("POST", "/auth/email-change/confirm", { body: { token } });
}

/** Takes the change of an address back. */
export function undoEmailChange(token) {
  return request("POST", "/auth/email-change/undo", { body: { token } });
}

function tokenInAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
  return TOKEN.test(token) ? token : "";
}
