import { SessionEnded, endSession, logout } from "./auth.js";
import { announce, startBusy } from "./form.js";
import { explain } from "./http.js";
import { setTime } from "./time.js";

const EVERYWHERE = { kind: "success", text: "You are signed out everywhere." };
const BUSY = "Signing out…";

/**
 * Brings the card with the visitor's sessions to life; returns what fills it.
 * `load` loads them again, `leave` goes to the login page with a notice, `signOut` signs out here.
 */
export function setUpSessions(card, { load, leave, signOut }) {
  const title = card.querySelector("h2");
  const message = card.querySelector(".notice");
  const loading = card.querySelector("[data-loading]");
  const list = card.querySelector("ul");
  const template = card.querySelector("template");
  const retryButton = card.querySelector("[data-retry]");
  const elsewhere = card.querySelector("[data-elsewhere]");
  const everywhere = card.querySelector("[data-everywhere]");
  const others = () => list.querySelectorAll("li:not([aria-current])");
  let isEnding = false;

  function show(sessions) {
    // The list is not drawn anew while the visitor ends something on it.
    if (isEnding) return;
    const focused = document.activeElement.closest("li")?.dataset.session;
    list.replaceChildren(...sessions.map(drawRow));
    if (focused) (list.querySelector(`[data-session="${CSS.escape(focused)}"] button`) ?? title).focus();
    if (message.dataset.kind === "error") say("success", "");
    arrange({ loaded: true });
  }

  function fail(error) {
    list.replaceChildren();
    say("error", `The list could not be loaded. ${explain(error)}`);
    arrange({ loaded: false, failed: true });
  }

  function clear() {
    list.replaceChildren();
    say("success", "");
    arrange({ loaded: false });
  }

  function drawRow({ id, current, device, address, created_at: created, last_used_at: used }) {
    const row = template.content.cloneNode(true).firstElementChild;
    const button = row.querySelector("button");
    const name = device ?? "Unknown device";
    row.dataset.session = id;
    row.querySelector("[data-device]").textContent = name;
    row.querySelector("[data-address]").textContent = address ?? "Unknown";
    setTime(row.querySelector("[data-created]"), created);
    setTime(row.querySelector("[data-used]"), used);
    button.setAttribute("aria-label", current ? "Sign out here" : `Sign out ${name}`);
    row.querySelector("[data-current]").hidden = !current;
    if (current) row.setAttribute("aria-current", "true");
    button.addEventListener("click", current ? signOut : () => endOne(button, row, name));
    return row;
  }

  function endOne(button, row, name) {
    return end(button, async () => {
      await endSession(row.dataset.session);
      row.remove();
      return `${name} is signed out.`;
    });
  }

  function endOthers() {
    return end(elsewhere, async () => {
      await logout("others");
      for (const row of others()) row.remove();
      return "You are signed out everywhere else.";
    });
  }

  async function endAll() {
    const release = startBusy(everywhere, BUSY);
    try {
      await logout("global");
      leave(EVERYWHERE);
    } catch (error) {
      refuse(error);
    }
    release();
  }

  /** Ends what `work` ends, and says what it returns. */
  async function end(button, work) {
    const release = startBusy(button, BUSY);
    isEnding = true;
    say("success", "");
    try {
      say("success", await work());
      arrange({ loaded: true });
      // Not to the next button: whoever presses twice would sign out somebody else.
      title.focus();
    } catch (error) {
      refuse(error);
    }
    isEnding = false;
    release();
  }

  function refuse(error) {
    if (error instanceof SessionEnded) leave();
    else say("error", explain(error));
  }

  function say(kind, text) {
    message.dataset.kind = kind;
    announce(message, text);
  }

  function arrange({ loaded, failed = false }) {
    loading.hidden = loaded || failed;
    retryButton.hidden = !failed;
    everywhere.hidden = !loaded;
    elsewhere.hidden = !loaded || others().length === 0;
  }

  async function retry() {
    const release = startBusy(retryButton, "Trying again…");
    await load();
    release();
    if (retryButton.hidden) title.focus();
  }

  retryButton.addEventListener("click", retry);
  elsewhere.addEventListener("click", endOthers);
  everywhere.addEventListener("click", endAll);
  return { show, fail, clear };
}
