import { countDown } from "./countdown.js";
import { explain } from "./http.js";

const EMAIL = /^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$/;

/** What is wrong with an e-mail address, or an empty string. */
export function emailProblem(value) {
  if (!value) return "Enter your e-mail address.";
  return EMAIL.test(value) ? "" : "Enter a full e-mail address.";
}

/** Disables a button while it works, with a text of its own; returns what makes it ready again. */
export function startBusy(button, busyText) {
  const readyText = button.textContent;
  const hadFocus = document.activeElement === button;
  button.textContent = busyText;
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  return () => {
    button.textContent = readyText;
    button.disabled = false;
    button.removeAttribute("aria-busy");
    // Disabling took the focus away; the keyboard should find it where it was.
    if (hadFocus && document.activeElement === document.body) button.focus();
  };
}

/** Sets a text that is announced, but only if it is new: the same one again would be read again. */
export function announce(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Brings a form to life: checks, messages, busy button, password reveal.
 * `checks` maps a field's name to a function that names what is wrong with a value, or returns "".
 * `submit` gets the values by name once every check passes; it resolves to true
 * when the page is being left and the button should stay busy.
 */
export function setUpForm(form, { checks, busyText, submit }) {
  const message = form.querySelector(".notice");
  const button = form.querySelector("[type=submit]");
  const reveals = form.querySelectorAll(".reveal");
  const fields = new Map(Object.keys(checks).map((name) => [name, form.elements[name]]));
  const touched = new Set();

  const api = {
    /** Shows a message of the given kind above the fields. */
    showMessage(kind, text) {
      message.dataset.kind = kind;
      message.setAttribute("role", kind === "error" ? "alert" : "status");
      message.textContent = text;
      if (text) message.scrollIntoView({ block: "nearest" });
    },

    /** Shows why a request failed: at the fields that the server names, or else above them all. */
    showFailure(error) {
      const named = [...fields.keys()].filter((name) => error.fields?.[name]?.length);
      named.forEach((name) => api.setError(name, error.fields[name].join(" ")));
      if (named.length === 0) showRefusal(error);
      api.focusFirstError();
    },

    /** Shows the error of one field, with a link after it if one helps; an empty text clears it. */
    setError(name, text, link) {
      const input = fields.get(name);
      const error = form.querySelector(`#${input.id}-error`);
      if (text) touched.add(name);
      input.setAttribute("aria-invalid", String(text !== ""));
      announce(error, text);
      if (link) error.append(" ", link);
    },

    /** Checks one field again if the visitor has already been there. */
    recheck(name) {
      if (touched.has(name)) check(name);
    },

    /** Empties every field, and forgets what was wrong with it. */
    reset() {
      form.reset();
      for (const name of fields.keys()) api.setError(name, "");
      touched.clear();
    },

    /** Puts the focus on the first field with an error. */
    focusFirstError() {
      [...fields.values()].find((input) => input.getAttribute("aria-invalid") === "true")?.focus();
    },
  };

  function showRefusal(error) {
    api.showMessage("error", explain(error));
    if (error.status !== 429 || !error.retryAfter) return;
    countDown(message, error.retryAfter, () => api.showMessage("info", "You can try again now."));
  }

  function check(name) {
    const problem = checks[name](fields.get(name).value);
    api.setError(name, problem);
    return !problem;
  }

  function checkAll() {
    const results = [...fields.keys()].map(check);
    return results.every(Boolean);
  }

  async function onSubmit(event) {
    event.preventDefault();
    if (button.disabled) return;
    api.showMessage("none", "");
    if (!checkAll()) return api.focusFirstError();

    reveals.forEach((reveal) => setRevealed(reveal, false));
    const release = startBusy(button, busyText);
    const values = Object.fromEntries([...fields].map(([name, input]) => [name, input.value]));
    const leaving = await submit(values);
    if (!leaving) release();
  }

  form.noValidate = true;
  form.addEventListener("submit", onSubmit);
  reveals.forEach((reveal) => {
    reveal.addEventListener("click", () => {
      setRevealed(reveal, reveal.getAttribute("aria-pressed") === "false");
    });
  });
  for (const [name, input] of fields) {
    input.addEventListener("input", () => api.recheck(name));
    input.closest(".field").addEventListener("focusout", ({ currentTarget, relatedTarget }) => {
      // Passing through an empty field, or using its reveal button, is not yet a mistake.
      if (!input.value || currentTarget.contains(relatedTarget)) return;
      touched.add(name);
      check(name);
    });
  }
  return api;
}

function setRevealed(reveal, revealed) {
  const input = document.getElementById(reveal.getAttribute("aria-controls"));
  input.type = revealed ? "text" : "password";
  reveal.setAttribute("aria-pressed", String(revealed));
}
