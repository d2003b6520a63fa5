import { SessionEnded, changeEmail, changePassword, currentUser, deleteAccount, exportAccount } from "./auth.js";
import { emailProblem, setUpForm } from "./form.js";
import { passwordProblem, repetitionProblem, setUpStrength } from "./password.js";
import { Cancelled, setUpProof } from "./proof.js";
import { setUpProtectedPage } from "./protected.js";

const DELETED = { kind: "success", text: "Your account is deleted. Goodbye." };
const WORD = "delete";

const find = (selector) => document.querySelector(selector);
const page = setUpProtectedPage({ fill: (attempt) => attempt(loadAccount), clear });
const proof = find("#proof");
const prove = setUpProof(proof);
const { new_password: newPassword } = find("#password-form").elements;
const showStrength = setUpStrength(newPassword, () => user?.email ?? "");
let user = null;

const passwordForm = setUpForm(find("#password-form"), {
  checks: {
    current_password: (value) => (value ? "" : "Enter your current password."),
    new_password: passwordProblem,
    confirm: (value) => repetitionProblem(value, newPassword.value),
  },
  busyText: "Changing…",
  submit: (values) => runInForm(passwordForm, () => replacePassword(values)),
});
const emailForm = setUpForm(find("#email-form"), {
  checks: { email: newEmailProblem },
  busyText: "Sending…",
  submit: (values) => runInForm(emailForm, () => askForEmail(values)),
});
const exportForm = setUpForm(find("#export-form"), {
  checks: {},
  busyText: "Collecting…",
  submit: () => runInForm(exportForm, download),
});
const deleteForm = setUpForm(find("#delete-form"), {
  checks: { confirmation: (value) => (isTheWord(value) ? "" : `Type the word “${WORD}”.`) },
  busyText: "Deleting…",
  submit: () => runInForm(deleteForm, remove),
});
const forms = [passwordForm, emailForm, exportForm, deleteForm];

async function loadAccount() {
  const loaded = await currentUser();
  return () => {
    // Another tab may have signed in as somebody else.
    if (user && user.id !== loaded.id) clear();
    user = loaded;
    find("[data-user-email]").textContent = user.email;
    nameForPasswordManagers(user.email);
    page.show();
  };
}

/** Tells password managers whose password the fields are for. The default stays when a form is emptied. */
function nameForPasswordManagers(email) {
  for (const input of document.querySelectorAll("[autocomplete=username]")) input.defaultValue = email;
}

function clear() {
  user = null;
  nameForPasswordManagers("");
  proof.close();
  for (const form of forms) {
    form.reset();
    form.showMessage("none", "");
  }
  showStrength();
}

/** Does the work of a form, and says in the form why it failed. */
async function runInForm(form, work) {
  try {
    await work();
  } catch (error) {
    if (error instanceof SessionEnded) page.leave();
    else if (!(error instanceof Cancelled)) form.showFailure(error);
  }
}

async function replacePassword({ current_password, new_password }) {
  try {
    await changePassword({ current_password, new_password });
  } catch (error) {
    if (error.code !== "wrong_password") throw error;
    passwordForm.setError("current_password", "This is not your password.");
    passwordForm.focusFirstError();
    return;
  }
  passwordForm.reset();
  showStrength();
  passwordForm.showMessage("success", "Your password is changed. You are signed out everywhere else.");
}

function newEmailProblem(value) {
  const isTheSame = value.toLowerCase() === user?.email.toLowerCase();
  return emailProblem(value) || (isTheSame ? "This is your address already." : "");
}

async function askForEmail({ email }) {
  await prove(() => changeEmail(email));
  emailForm.reset();
  emailForm.showMessage("success", `Please open the link in the mail to ${email}. Until then, nothing changes.`);
}

async function download() {
  const file = new Blob([JSON.stringify(await prove(exportAccount), null, 2)], { type: "application/json" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = "account.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  exportForm.showMessage("success", "Your data is in the file account.json, among your downloads.");
}

function isTheWord(value) {
  return value.trim().toLowerCase() === WORD;
}

async function remove() {
  await prove(deleteAccount);
  page.leave(DELETED);
}

newPassword.addEventListener("input", () => passwordForm.recheck("confirm"));
