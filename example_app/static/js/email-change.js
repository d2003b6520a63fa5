// Of both pages: the one that confirms a change, and the one that takes it back.
import { setUpForm } from "./form.js";
import { confirmEmailChange, isUsedUp, takeToken, undoEmailChange } from "./links.js";
import { showPart } from "./parts.js";

const token = takeToken();
const formElement = document.querySelector("form");
const work = formElement.dataset.work === "undo" ? undoEmailChange : confirmEmailChange;
const form = setUpForm(formElement, { checks: {}, busyText: "One moment…", submit });

/** Only pressing the button sends anything: programs that open every link in a mail change nothing. */
async function submit() {
  try {
    await work(token);
    showPart("done");
  } catch (error) {
    if (isUsedUp(error)) showPart("used-up");
    else form.showFailure(error);
  }
}

showPart(token ? "form" : "missing", { isFirst: true });
