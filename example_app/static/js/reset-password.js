import { setUpForm } from "./form.js";
import { isUsedUp, resetPassword, takeToken } from "./links.js";
import { showPart } from "./parts.js";
import { passwordProblem, repetitionProblem, setUpStrength } from "./password.js";
import { goToLoginSoon } from "./session.js";

const CHANGED = { kind: "success", text: "Your password is changed. Please sign in with it." };

const token = takeToken();
const formElement = document.querySelector("form");
const { new_password: password } = formElement.elements;
const form = setUpForm(formElement, {
  checks: { new_password: passwordProblem, confirm: (value) => repetitionProblem(value, password.value) },
  busyText: "Changing the password…",
  submit: change,
});

async function change(values) {
  try {
    await resetPassword(token, values.new_password);
  } catch (error) {
    if (isUsedUp(error)) showPart("used-up");
    else form.showFailure(error);
    return false;
  }
  form.showMessage("success", "Your password is changed. Taking you to sign in…");
  goToLoginSoon(CHANGED);
  return true;
}

setUpStrength(password);
password.addEventListener("input", () => form.recheck("confirm"));
showPart(token ? "form" : "missing", { isFirst: true });
