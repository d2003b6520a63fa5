import { reauthenticate } from "./auth.js";
import { setUpForm } from "./form.js";

/** Thrown when the visitor would rather not give the password again. */
export class Cancelled extends Error {}

/**
 * Brings the dialog to life that asks for the password again; returns what does work that may need it:
 * when the server wants a fresh sign-in, it asks, and sends the request once more.
 */
export function setUpProof(dialog) {
  const formElement = dialog.querySelector("form");
  const { password } = formElement.elements;
  const form = setUpForm(formElement, {
    checks: { password: (value) => (value ? "" : "Enter your password.") },
    busyText: "Checking…",
    submit,
  });
  let finish = null;

  async function submit(values) {
    try {
      await reauthenticate(values.password);
    } catch (error) {
      if (error.code === "wrong_password") refuse();
      else if (error.status === 401) close(error);
      else form.showFailure(error);
      return;
    }
    close(null);
  }

  function refuse() {
    form.setError("password", "This is not your password.");
    password.select();
  }

  function close(error) {
    const settle = finish;
    finish = null;
    dialog.close();
    settle?.(error);
  }

  /** Resolves once the visitor has given the password. */
  function ask() {
    form.reset();
    form.showMessage("none", "");
    dialog.showModal();
    return new Promise((resolve, reject) => {
      finish = (error) => (error ? reject(error) : resolve());
    });
  }

  dialog.querySelector("[data-cancel]").addEventListener("click", () => dialog.close());
  // Also of the Escape key. A password must not stay on a page that nobody looks at.
  dialog.addEventListener("close", () => {
    form.reset();
    close(new Cancelled());
  });

  return async (work) => {
    try {
      return await work();
    } catch (error) {
      if (error.code !== "fresh_login_required") throw error;
    }
    await ask();
    return work();
  };
}
