import { login } from "./auth.js";
import { emailProblem, setUpForm } from "./form.js";
import { followSession, goToDashboard, takeNotice } from "./session.js";

const formElement = document.querySelector("form");
const form = setUpForm(formElement, {
  checks: {
    email: emailProblem,
    password: (value) => (value ? "" : "Enter your password."),
  },
  busyText: "Signing in…",
  submit: signIn,
});

async function signIn({ email, password }) {
  try {
    await login(email, password, formElement.elements.remember.checked);
  } catch (error) {
    showFailure(error);
    return false;
  }
  goToDashboard();
  return true;
}

function showFailure(error) {
  form.showFailure(error);
  if (error.status === 401) formElement.elements.password.select();
}

const notice = takeNotice();
if (notice?.text) form.showMessage(notice.kind, notice.text);
if (notice?.email) formElement.elements.email.value = notice.email;
// Whoever was just sent here with a word stays. Otherwise a cookie that cannot be removed would lead round in circles.
followSession({ wait: Boolean(notice?.text) });
