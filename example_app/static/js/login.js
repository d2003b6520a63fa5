import { clearToken, explain, getToken, hasLiveToken, login, saveToken } from "./auth.js";
import { emailProblem, setUpForm } from "./form.js";
import { SESSION_ENDED, followSession, goToDashboard, takeNotice } from "./session.js";

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
  let token;
  try {
    token = await login(email, password);
  } catch (error) {
    showFailure(error);
    return false;
  }
  try {
    saveToken(token);
  } catch {
    form.showMessage("error", "This browser blocks site storage, which signing in needs here.");
    return false;
  }
  goToDashboard();
  return true;
}

function showFailure(error) {
  form.showMessage("error", explain(error));
  if (error.status === 401) formElement.elements.password.select();
}

function arrivalNotice() {
  const notice = takeNotice();
  if (notice || !getToken() || hasLiveToken()) return notice;
  clearToken();
  return SESSION_ENDED;
}

function greet() {
  const notice = arrivalNotice();
  if (notice?.text) form.showMessage(notice.kind, notice.text);
  if (notice?.email) formElement.elements.email.value = notice.email;
}

greet();
followSession();
