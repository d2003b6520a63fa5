import { register } from "./auth.js";
import { emailProblem, setUpForm } from "./form.js";
import { showPart } from "./parts.js";
import { passwordProblem, repetitionProblem, setUpStrength } from "./password.js";
import { followSession, goToLoginSoon, leaveNotice } from "./session.js";

const formElement = document.querySelector("form");
const { email, password } = formElement.elements;
const showStrength = setUpStrength(password, () => email.value);
const form = setUpForm(formElement, {
  checks: {
    email: emailProblem,
    password: passwordProblem,
    confirm: (value) => repetitionProblem(value, password.value),
  },
  busyText: "Creating account…",
  submit: createAccount,
});

async function createAccount(values) {
  try {
    const { accepted } = await register(values.email, values.password);
    if (accepted) return checkMail(values.email);
  } catch (error) {
    showFailure(error);
    return false;
  }
  form.showMessage("success", "Your account is ready. Taking you to sign in…");
  goToLoginSoon({ kind: "success", text: "Your account is ready. Please sign in.", email: values.email });
  return true;
}

/** Whether this is a new account is said in the mail alone, or anybody could ask here who has one. */
function checkMail(address) {
  document.querySelector("[data-address]").textContent = address;
  form.reset();
  showPart("done");
}

function showFailure(error) {
  if (error.status === 409) {
    form.setError("email", "This address has an account.", signInLink());
    form.focusFirstError();
  } else {
    form.showFailure(error);
  }
}

function signInLink() {
  const link = document.createElement("a");
  link.href = "/";
  link.textContent = "Sign in";
  link.addEventListener("click", () => leaveNotice({ email: email.value }));
  return link;
}

password.addEventListener("input", () => form.recheck("confirm"));
email.addEventListener("input", showStrength);
followSession();
