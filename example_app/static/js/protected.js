import { SessionEnded, logout } from "./auth.js";
import { startBusy } from "./form.js";
import { explain } from "./http.js";
import { farewell, goToLogin } from "./session.js";
import { forget, isSignedIn, onTokenChange } from "./token.js";

const SIGNED_OUT_HERE = {
  kind: "info",
  text: "You are signed out in this browser. The server could not be told: end the session there after your next sign-in.",
};

/**
 * Brings a page to life that only signed-in visitors see.
 * `fill(attempt)` loads what it shows: `attempt(work, fail)` awaits `work`, and calls the function that it resolves to
 * unless the page shows something else by then. `clear` takes off the page what is the visitor's alone.
 */
export function setUpProtectedPage({ fill, clear }) {
  const find = (selector) => document.querySelector(selector);
  const [app, loading, content, failure] = ["#app", "#loading", "#content", "#failure"].map(find);
  const retryButton = find("#retry");
  let latestLoad = 0;
  let loads = 0;
  let isLeaving = false;

  const page = {
    /** Loads what the page shows; quietly, what is there stays when that fails. */
    async load({ quietly = false } = {}) {
      if (isLeaving) return;
      const thisLoad = (latestLoad += 1);
      loads += 1;
      await fill(async (work, fail = page.fail) => {
        try {
          const render = await work();
          if (thisLoad === latestLoad) render();
        } catch (error) {
          if (thisLoad !== latestLoad) return;
          if (error instanceof SessionEnded) page.leave();
          else if (!quietly) fail(error);
        }
      });
      loads -= 1;
    },

    isLoading: () => loads > 0,

    isShown: () => !content.hidden,

    /** Shows the content. */
    show: () => showOnly(content),

    /** Says why the content could not be loaded. */
    fail(error) {
      find("#failure-reason").textContent = explain(error);
      showOnly(failure);
    },

    /** Goes to the login page, with a notice to show there. */
    leave(notice = farewell()) {
      takeOff();
      app.hidden = true;
      goToLogin(notice);
    },

    /** Signs out in this browser, whatever the server says. */
    async signOut({ currentTarget }) {
      isLeaving = true;
      latestLoad += 1;
      startBusy(currentTarget, "Signing out…");
      const told = await logout("local").then(
        () => true,
        (error) => error instanceof SessionEnded,
      );
      forget();
      page.leave(told ? farewell() : SIGNED_OUT_HERE);
    },
  };

  function showOnly(view) {
    for (const other of [loading, content, failure]) other.hidden = other !== view;
  }

  function takeOff() {
    // Whatever answer is still under way comes to nothing.
    latestLoad += 1;
    for (const place of content.querySelectorAll("[data-value]")) place.textContent = "";
    clear();
    showOnly(loading);
  }

  async function retry() {
    const release = startBusy(retryButton, "Trying again…");
    await page.load();
    release();
    // The button is gone when the content is there: the focus goes on with it.
    if (page.isShown()) find("#main").focus();
  }

  function enter() {
    if (!isSignedIn()) return goToLogin();
    isLeaving = false;
    app.hidden = false;
    showOnly(loading);
    page.load();
  }

  find("#logout").addEventListener("click", page.signOut);
  retryButton.addEventListener("click", retry);
  onTokenChange((token) => (token ? page.load() : page.leave()));
  // The browser may keep the page to bring it back on Back: it must not keep the account with it.
  addEventListener("pagehide", takeOff);
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) enter();
  });
  // Once the page's own script has run to its end.
  queueMicrotask(enter);
  return page;
}
