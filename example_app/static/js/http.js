const TIMEOUT_MS = 15_000;

/** A refusal or failure of the API; status 0 means that no answer arrived, or that it could not be kept. */
export class ApiError extends Error {
  constructor(status, body = {}, retryAfter = null) {
    super(body.error ?? "");
    this.name = "ApiError";
    this.status = status;
    this.code = body.code ?? "";
    this.fields = body.fields ?? {};
    this.retryAfter = retryAfter;
  }
}

/**
 * Sends one request and returns the JSON of its answer; throws an ApiError for everything else.
 * The answer says `accepted` when the server goes on by mail (status 202).
 * With `keepalive` the browser takes the answer's cookies even if the page is left meanwhile.
 */
export async function request(method, path, { body, token, csrf, keepalive = false, timeout = TIMEOUT_MS } = {}) {
  const headers = { Accept: "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  if (csrf) headers["X-CSRF-Token"] = csrf;

  const response = await fetch(path, {
    method,
    headers,
    body: body && JSON.stringify(body),
    cache: "no-store",
    keepalive,
    signal: AbortSignal.timeout(timeout),
  }).catch(() => {
    throw new ApiError(0);
  });
  const answer = (await response.json().catch(() => null)) ?? {};
  if (!response.ok) throw new ApiError(response.status, answer, readRetryAfter(response));
  return response.status === 202 ? { ...answer, accepted: true } : answer;
}

/** Puts a failed call into words for the visitor. */
export function explain({ status, message, retryAfter }) {
  if (status === 0) {
    return message || "The server could not be reached. Check your connection and try again.";
  }
  if (status === 429) return `Too many attempts. Please try again ${waitText(retryAfter)}.`;
  if (status === 503) return `The service is busy right now. Please try again ${waitText(retryAfter)}.`;
  if (status >= 400 && status < 500 && message) return message;
  return "Something went wrong on the server. Please try again.";
}

/** Says when to try again, after this many seconds. */
export function waitText(seconds) {
  if (seconds === null) return "in a moment";
  if (seconds < 90) return `in ${seconds} ${seconds === 1 ? "second" : "seconds"}`;
  return `in ${Math.ceil(seconds / 60)} minutes`;
}

function readRetryAfter(response) {
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  return seconds > 0 ? seconds : null;
}

