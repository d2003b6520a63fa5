const TOKEN_KEY = "access_token";
const TIMEOUT_MS = 15_000;
const LOGOUT_TIMEOUT_MS = 5_000;

/** A refusal or failure of the API; status 0 means that no answer arrived. */
export class ApiError extends Error {
  constructor(status, body = {}, retryAfter = null) {
    super(body.error ?? "");
    this.name = "ApiError";
    this.status = status;
    this.fields = body.fields ?? {};
    this.retryAfter = retryAfter;
  }
}

/** The stored access token, or null. */
export function getToken() {
  try {
    return localStorage.getItem(TOKEN_KEY);
  } catch {
    return null;
  }
}

/** Stores the access token; throws when the browser forbids storage. */
export function saveToken(token) {
  localStorage.setItem(TOKEN_KEY, token);
}

/** Forgets the access token. */
export function clearToken() {
  try {
    localStorage.removeItem(TOKEN_KEY);
  } catch {
    // Storage that cannot be reached holds no token either.
  }
}

/** Calls back with the new token, or null, when another tab signs in or out. */
export function onTokenChange(callback) {
  addEventListener("storage", ({ key }) => {
    // A null key means that the other tab emptied the whole storage.
    if (key === TOKEN_KEY || key === null) callback(getToken());
  });
}

/** When the token was issued and when it ends, in milliseconds; NaN for what it does not say. */
export function tokenTimes(token) {
  const payload = readPayload(token);
  return { issued: Number(payload?.iat ?? NaN) * 1000, ends: Number(payload?.exp ?? NaN) * 1000 };
}

/** Whether a token is stored that has not run out by this computer's clock. */
export function hasLiveToken() {
  const token = getToken();
  return token !== null && tokenTimes(token).ends > Date.now();
}

/** Creates an account. */
export function register(email, password) {
  return request("POST", "/users", { body: { email, password } });
}

/** Signs in and returns the access token. */
export async function login(email, password) {
  const answer = await request("POST", "/auth/login", { body: { email, password } });
  if (typeof answer.access_token !== "string") throw new ApiError(502);
  return answer.access_token;
}

/** The account that the token belongs to. */
export async function currentUser(token) {
  const user = await request("GET", "/users/me", { token });
  if (typeof user.email !== "string") throw new ApiError(502);
  return user;
}

/** Ends the session on the server; a session it no longer knows counts as ended. */
export async function logout(token) {
  try {
    await request("POST", "/auth/logout", { token, timeout: LOGOUT_TIMEOUT_MS });
  } catch (error) {
    if (error.status !== 401) throw error;
  }
}

/** The common passwords in lower case; empty when the list cannot be loaded. */
export async function commonPasswords() {
  try {
    const response = await fetch("/common-passwords.json");
    return new Set(response.ok ? (await response.json()).passwords : []);
  } catch {
    return new Set();
  }
}

/** Puts a failed call into words for the visitor. */
export function explain({ status, message, retryAfter }) {
  if (status === 0) {
    return "The server could not be reached. Check your connection and try again.";
  }
  if (status === 429 || status === 503) {
    return `The service is busy right now. Please try again ${waitText(retryAfter)}.`;
  }
  if (status >= 400 && status < 500 && message) return message;
  return "Something went wrong on the server. Please try again.";
}

async function request(method, path, { body, token, timeout = TIMEOUT_MS } = {}) {
  const headers = { Accept: "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;

  const response = await fetch(path, {
    method,
    headers,
    body: body && JSON.stringify(body),
    cache: "no-store",
    signal: AbortSignal.timeout(timeout),
  }).catch(() => {
    throw new ApiError(0);
  });
  const answer = (await response.json().catch(() => null)) ?? {};
  if (!response.ok) throw new ApiError(response.status, answer, readRetryAfter(response));
  return answer;
}

function readRetryAfter(response) {
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return seconds > 0 ? seconds : null;
}

function waitText(seconds) {
  if (seconds === null) return "in a moment";
  if (seconds < 90) return `in ${seconds} ${seconds === 1 ? "second" : "seconds"}`;
  return `in ${Math.ceil(seconds / 60)} minutes`;
}

function readPayload(token) {
  try {
    const base64 = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(atob(base64));
  } catch {
    return null;
  }
}
