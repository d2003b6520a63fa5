import { announce } from "./form.js";

const MIN_LENGTH = 8;
const MAX_LENGTH = 256;

/** What is wrong with a new password, or an empty string. */
export function passwordProblem(value) {
  const length = countCharacters(value);
  if (length === 0) return "Choose a password.";
  if (length < MIN_LENGTH) return `Use at least ${MIN_LENGTH} characters.`;
  return length > MAX_LENGTH ? `Use at most ${MAX_LENGTH} characters.` : "";
}

/** What is wrong with its repetition, or an empty string. */
export function repetitionProblem(value, password) {
  if (!value) return "Repeat the password.";
  return value === password ? "" : "The passwords do not match.";
}

/**
 * Shows how strong a new password is while it is typed, and warns of one that is easy to guess.
 * `email` returns the address of the account, as far as it is known. Returns what shows it anew.
 */
export function setUpStrength(password, email = () => "") {
  const field = password.closest(".field");
  const bar = field.querySelector(".strength");
  const text = field.querySelector(".strength-row .hint");
  const warning = field.querySelector(".warning");
  let common = new Set();

  function warningsFor(value) {
    const lower = value.toLowerCase();
    const name = email().split("@")[0].toLowerCase();
    const warnings = [];
    if (common.has(lower)) warnings.push("This is a common password, so it is easy to guess.");
    if (name.length >= 3 && lower.includes(name)) warnings.push("It contains the name from your e-mail.");
    return warnings;
  }

  function show() {
    const warnings = warningsFor(password.value);
    const [level, words] = strengthOf(password.value, warnings);
    bar.value = level;
    announce(text, words);
    announce(warning, warnings.join(" "));
  }

  async function loadCommon() {
    common = await commonPasswords();
    show();
  }

  password.addEventListener("focus", loadCommon, { once: true });
  password.addEventListener("input", show);
  return show;
}

function strengthOf(value, warnings) {
  const length = countCharacters(value);
  if (length === 0) return [0, ""];
  if (length < MIN_LENGTH) return [1, `${length} of ${MIN_LENGTH} characters`];
  if (length > MAX_LENGTH) return [1, `${length - MAX_LENGTH} too many`];
  if (warnings.length || new Set(value).size < 5) return [1, "Easy to guess"];
  if (length < 12) return [2, "Fair"];
  return length < 16 ? [3, "Good"] : [4, "Strong"];
}

// The server counts code points; a string's own length would count an emoji twice.
function countCharacters(text) {
  return [...text].length;
}

/** The common passwords in lower case; empty when the list cannot be loaded. */
async function commonPasswords() {
  try {
    const response = await fetch("/common-passwords.json");
    return new Set(response.ok ? (await response.json()).passwords : []);
  } catch {
    return new Set();
  }
}
