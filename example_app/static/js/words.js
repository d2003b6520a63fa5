// What the server calls the events of an account, in words. The second table says more where the reason is known.
const EVENTS = {
  authn_login_fail: "Somebody failed to sign in",
  authn_login_lock: "Sign-in was locked for a while after wrong passwords",
  authn_login_success: "Signed in",
  authn_password_change: "Password changed",
  authn_password_reset_request: "Asked for a link to a new password",
  authn_token_reuse: "A copy of a session was used, and the session ended",
  breach_check_fail: "A new password could not be looked up among breached ones",
  excess_rate_limit_exceeded: "Too many requests, some of them refused",
  mail_fail: "A mail to you could not be delivered",
  sensitive_read: "Data read",
  session_expired: "Session ended",
  user_created: "Account created",
  user_deleted: "Account deleted",
  user_email_change_request: "Asked for another e-mail address",
  user_updated: "Account changed",
};

const REASONS = {
  authn_password_change: {
    email_change_undone: "Password taken away, since a change of the e-mail address was undone",
    password_reset: "Password changed by a mailed link",
    registration: "Password set by another registration",
  },
  sensitive_read: { account_export: "Account data downloaded" },
  session_expired: {
    admin: "Session ended by the operator",
    deleted: "Session ended with the account",
    email_change_undone: "Session ended, since a change of the e-mail address was undone",
    ended: "Session ended from the list of sessions",
    limit: "Session ended, since there were too many",
    logout: "Signed out",
    logout_global: "Signed out everywhere",
    logout_others: "Signed out from another device",
    password_change: "Session ended, since the password changed",
    password_reset: "Session ended, since the password changed",
    replaced: "Session replaced by a newer sign-in",
    reuse: "Session ended, since a copy of it was used",
  },
  user_updated: {
    email_change: "E-mail address changed",
    email_change_undone: "Change of the e-mail address undone",
    email_verified: "E-mail address verified",
  },
};

/** Says what an event was. One that this page does not know keeps its name. */
export function wordsFor(event, reason) {
  return REASONS[event]?.[reason] ?? EVENTS[event] ?? String(event).replaceAll("_", " ");
}
