import { emailProblem, setUpForm } from "./form.js";
import { askForReset } from "./links.js";
import { showPart } from "./parts.js";

const form = setUpForm(document.querySelector("form"), {
  checks: { email: emailProblem },
  busyText: "Sending…",
  submit: ask,
});

async function ask({ email }) {
  try {
    await askForReset(email);
  } catch (error) {
    form.showFailure(error);
    return;
  }
  document.querySelector("[data-address]").textContent = email;
  showPart("done");
}

document.querySelector("[data-again]").addEventListener("click", () => showPart("form"));
