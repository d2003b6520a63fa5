import { SessionEnded, listEvents } from "./auth.js";
import { announce, startBusy } from "./form.js";
import { explain } from "./http.js";
import { setUpProtectedPage } from "./protected.js";
import { setTime } from "./time.js";
import { wordsFor } from "./words.js";

const find = (selector) => document.querySelector(selector);
const list = find("#events");
const template = find("template");
const moreButton = find("#more");
const message = find("#content .notice");
const page = setUpProtectedPage({ fill: (attempt) => attempt(loadFirst), clear });
let next = null;

async function loadFirst() {
  const answer = await listEvents();
  return () => {
    list.replaceChildren();
    add(answer);
    page.show();
  };
}

function clear() {
  list.replaceChildren();
  announce(message, "");
  next = null;
}

function add(answer) {
  const rows = answer.events.map(drawRow);
  list.append(...rows);
  next = answer.next;
  moreButton.hidden = !next;
  find("#nothing").hidden = list.childElementCount > 0;
  return rows;
}

function drawRow({ at, event, reason, address, device }) {
  const row = template.content.cloneNode(true).firstElementChild;
  row.querySelector("h2").textContent = wordsFor(event, reason);
  row.querySelector("[data-device]").textContent = device ?? "Unknown device";
  row.querySelector("[data-network]").textContent = address ?? "Unknown";
  setTime(row.querySelector("time"), at);
  return row;
}

async function loadMore() {
  const release = startBusy(moreButton, "Loading…");
  const after = next;
  announce(message, "");
  try {
    const answer = await listEvents(after);
    // The list may have been loaded anew meanwhile.
    if (next === after) show(answer);
  } catch (error) {
    if (error instanceof SessionEnded) page.leave();
    else refuse(error);
  }
  release();
}

function show(answer) {
  const [first] = add(answer);
  announce(find("#loaded"), `${answer.events.length} more`);
  // The focus goes on to what is new, since the button moves away from under it.
  first?.querySelector("h2").focus();
}

function refuse(error) {
  message.dataset.kind = "error";
  announce(message, `The list could not be loaded. ${explain(error)}`);
}

moreButton.addEventListener("click", loadMore);
