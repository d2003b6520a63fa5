import { emailProblem, setUpForm } from "./form.js";
import { askForVerification, isUsedUp, takeToken, verifyEmail } from "./links.js";
import { showPart } from "./parts.js";
import { goToLoginSoon } from "./session.js";

const VERIFIED = { kind: "success", text: "Your address is verified. Please sign in." };

const token = takeToken();
const [confirmElement, askElement] = document.querySelectorAll("form");
const confirmForm = setUpForm(confirmElement, {
  checks: { password: (value) => (value ? "" : "Enter the password that you chose.") },
  busyText: "Verifying…",
  submit: confirm,
});
const askForm = setUpForm(askElement, { checks: { email: emailProblem }, busyText: "Sending…", submit: ask });

async function confirm({ password }) {
  try {
    await verifyEmail(token, password);
  } catch (error) {
    showFailure(error);
    return false;
  }
  confirmForm.showMessage("success", "Your address is verified. Taking you to sign in…");
  goToLoginSoon(VERIFIED);
  return true;
}

function showFailure(error) {
  if (isUsedUp(error)) {
    showPart("ask");
    askForm.showMessage("error", "This link has run out, or it was used before. Ask for another one.");
  } else if (error.code === "wrong_password") {
    confirmForm.setError("password", "This is not the password of the account.");
    confirmForm.focusFirstError();
  } else {
    confirmForm.showFailure(error);
  }
}

async function ask({ email }) {
  try {
    await askForVerification(email);
  } catch (error) {
    askForm.showFailure(error);
    return;
  }
  document.querySelector("[data-address]").textContent = email;
  showPart("done");
}

document.querySelector("[data-again]").addEventListener("click", () => {
  askForm.showMessage("none", "");
  showPart("ask");
});
showPart(token ? "confirm" : "ask", { isFirst: true });
