import { ApiError, request } from "./http.js";
import { alone, csrfToken, forget, getToken, keep, tokenEnd } from "./token.js";

// The server has changed the refresh token even if nobody waits for the answer. To lose it is to be signed out.
const PATIENT = { keepalive: true, timeout: 30_000 };
const LOGOUT_TIMEOUT_MS = 5_000;

let refreshing = null;

/** Thrown when the session is over and forgotten here: only signing in again helps. */
export class SessionEnded extends ApiError {
  constructor() {
    super(401, { error: "Your session has ended. Please sign in again." });
  }
}

/** Creates an account. */
export function register(email, password) {
  return request("POST", "/users", { body: { email, password } });
}

/** Signs in; with `remember` for longer than the browser stays open. */
export function login(email, password, remember) {
  return alone(async () => keep(await request("POST", "/auth/login", { body: { email, password, remember } })));
}

/** Signs out on the server: here ("local"), in all other places ("others"), or in all ("global"). */
export async function logout(scope) {
  await call("POST", "/auth/logout", { body: { scope }, timeout: LOGOUT_TIMEOUT_MS }, alone);
  if (scope !== "others") forget();
}

/** The account of the visitor. */
export async function currentUser() {
  const user = await call("GET", "/users/me");
  if (typeof user.email !== "string") throw new ApiError(502);
  return user;
}

/** The sessions of the visitor, the one used last first. */
export async function listSessions() {
  const { sessions } = await call("GET", "/auth/sessions");
  if (!Array.isArray(sessions)) throw new ApiError(502);
  return sessions;
}

/** Ends one of the visitor's sessions; one that is not there any more counts as ended. */
export async function endSession(id) {
  try {
    await call("DELETE", `/auth/sessions/${encodeURIComponent(id)}`);
  } catch (error) {
    if (error.code !== "sessions.not_found") throw error;
  }
}

/** Proves that the visitor is still the one who signed in: for a few minutes the server counts the session as fresh. */
export async function reauthenticate(password) {
  await call("POST", "/auth/reauthenticate", { body: { password }, ...PATIENT }, keepingTokens);
}

/** Replaces the password; all other sessions end. */
export async function changePassword(values) {
  await call("POST", "/users/me/password", { body: values, ...PATIENT }, keepingTokens);
}

/** Asks for another address: it gets a link that confirms it. */
export async function changeEmail(email) {
  await call("POST", "/users/me/email", { body: { email } });
}

/** Everything that the server holds about the visitor. */
export function exportAccount() {
  return call("GET", "/users/me/export");
}

/** Deletes the account, and with it the session. */
export async function deleteAccount() {
  await call("DELETE", "/users/me", {}, alone);
  forget();
}

/** What happened on the account, the latest first, and what `before` is for the page after this one. */
export async function listEvents(before) {
  const { events, next } = await call("GET", `/auth/audit${before ? `?before=${encodeURIComponent(before)}` : ""}`);
  if (!Array.isArray(events)) throw new ApiError(502);
  return { events, next };
}

/** Does what gives the session other tokens, while no other tab does. */
function keepingTokens(send) {
  return alone(async () => keep(await send()));
}

/** Sends a request with the access token, and once more with the next one if that one is refused. */
async function call(method, path, options, inTurn = (work) => work()) {
  const send = (token) => inTurn(() => request(method, path, { ...options, token }));
  const token = await readyToken();
  try {
    return await send(token);
  } catch (error) {
    if (!isRefused(error)) throw error;
    const next = await tokenAfter(token, error);
    return await send(next).catch((last) => giveUp(next, last));
  }
}

function isRefused({ status, code }) {
  return status === 401 || code === "profile.user_not_found";
}

/** The stored token, or the next one if its time is over: by this computer's clock, so the server may disagree. */
async function readyToken() {
  const token = getToken();
  const ends = tokenEnd();
  const isOver = token === null || (ends !== null && ends <= Date.now());
  if (isOver && csrfToken()) return refresh(token);
  return token ?? endOf(token);
}

/** The token to try after one was refused. */
async function tokenAfter(token, { code }) {
  const stored = getToken();
  if (stored !== null && stored !== token) return stored;
  return code === "token_expired" ? refresh(token) : endOf(token);
}

function giveUp(token, error) {
  // A new token that is called expired is the server's trouble, and no reason to sign anybody out.
  if (isRefused(error) && error.code !== "token_expired") return endOf(token);
  throw error;
}

/** The token after a stale one. Nobody asks the server for it twice: not the calls of this tab, not the other tabs. */
function refresh(stale) {
  refreshing ??= alone(() => renew(stale)).finally(() => {
    refreshing = null;
  });
  return refreshing;
}

async function renew(stale) {
  const stored = getToken();
  if (stored !== null && stored !== stale) return stored;
  const csrf = csrfToken();
  if (stored !== stale || !csrf) return end();
  try {
    return keep(await request("POST", "/auth/refresh", { csrf, ...PATIENT }));
  } catch (error) {
    if (error.status === 401 || error.status === 403) return end();
    throw error;
  }
}

/** Ends the session of a token, unless another tab has begun the next one. */
function endOf(token) {
  return alone(() => {
    if (getToken() !== token) throw new SessionEnded();
    end();
  });
}

function end() {
  forget({ hasEnded: true });
  throw new SessionEnded();
}
