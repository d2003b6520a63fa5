import { commonPasswords, explain, register } from "./auth.js";
import { announce, emailProblem, setUpForm } from "./form.js";
import { followSession, goToLogin, leaveNotice } from "./session.js";

const MIN_LENGTH = 8;
const MAX_LENGTH = 256;
const SUCCESS_PAUSE_MS = 1500;

const formElement = document.querySelector("form");
const { email, password } = formElement.elements;
const strengthBar = document.querySelector(".strength");
const strengthText = document.getElementById("password-strength");
const warning = document.getElementById("password-warning");
let common = new Set();

const form = setUpForm(formElement, {
  checks: { email: emailProblem, password: passwordProblem, confirm: confirmProblem },
  busyText: "Creating account…",
  submit: createAccount,
});

function passwordProblem(value) {
  const length = countCharacters(value);
  if (length === 0) return "Choose a password.";
  if (length < MIN_LENGTH) return `Use at least ${MIN_LENGTH} characters.`;
  return length > MAX_LENGTH ? `Use at most ${MAX_LENGTH} characters.` : "";
}

function confirmProblem(value) {
  if (!value) return "Repeat the password.";
  return value === password.value ? "" : "The passwords do not match.";
}

async function createAccount(values) {
  try {
    await register(values.email, values.password);
  } catch (error) {
    showFailure(error);
    return false;
  }
  form.showMessage("success", "Your account is ready. Taking you to sign in…");
  setTimeout(goToLogin, SUCCESS_PAUSE_MS, {
    kind: "success",
    text: "Your account is ready. Please sign in.",
    email: values.email,
  });
  return true;
}

function showFailure(error) {
  const known = ["email", "password"].filter((id) => error.fields?.[id]?.length);
  if (error.status === 409) {
    form.setError("email", "This address has an account.", signInLink());
  } else if (known.length) {
    known.forEach((id) => form.setError(id, error.fields[id].join(" ")));
  } else {
    form.showMessage("error", explain(error));
  }
  form.focusFirstError();
}

function signInLink() {
  const link = document.createElement("a");
  link.href = "/";
  link.textContent = "Sign in";
  link.addEventListener("click", () => leaveNotice({ email: email.value }));
  return link;
}

// The server counts code points; a string's own length would count an emoji twice.
function countCharacters(text) {
  return [...text].length;
}

function warningsFor(value) {
  const lower = value.toLowerCase();
  const name = email.value.split("@")[0].toLowerCase();
  const warnings = [];
  if (common.has(lower)) warnings.push("This is a common password, so it is easy to guess.");
  if (name.length >= 3 && lower.includes(name)) warnings.push("It contains the name from your e-mail.");
  return warnings;
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

function showStrength() {
  const warnings = warningsFor(password.value);
  const [level, text] = strengthOf(password.value, warnings);
  strengthBar.value = level;
  announce(strengthText, text);
  announce(warning, warnings.join(" "));
}

async function loadCommonPasswords() {
  common = await commonPasswords();
  showStrength();
}

password.addEventListener("focus", loadCommonPasswords, { once: true });
password.addEventListener("input", () => {
  showStrength();
  form.recheck("confirm");
});
email.addEventListener("input", showStrength);
followSession();
