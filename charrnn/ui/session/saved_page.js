// Saves text, settings, tab and cursor in the session storage, for a reload of the page.

import { opensStage } from "../components/lecture_address.js";
import { openTab } from "../components/navigate.js";
import { page, whenReady } from "../components/page_state.js";
import { session } from "./page_session.js";

const KEY = "charrnn-page";
const INPUTS = "input:not([type=range], #cr-single-keys), textarea:not([readonly])"; // the settings restore the sliders

/** Return the title of the selected tab. */
export const selectedTab = () => document.querySelector('[role=tab][aria-selected="true"]')?.textContent.trim();

/** Save the page whenever it is hidden or left. */
export function savePage(element) {
  function save() {
    if (!page.live?.record) return;
    const inputs = [...element.querySelectorAll(INPUTS)].map((input) => [input.id, input[valueProperty(input)]]);
    const saved = { href: location.href, inputs, tab: selectedTab(), cursor: page.live.saved, session: session.saved() };
    try {
      sessionStorage.setItem(KEY, JSON.stringify(saved));
    } catch {
      // without storage, a reload opens the link again
    }
  }
  addEventListener("pagehide", save);
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && save());
}

/** Return the saved state if the page has been reloaded, else null. The stage of a lecture takes precedence. */
export function savedPage() {
  const [navigation] = performance.getEntriesByType("navigation");
  if (navigation?.type === "navigate" || opensStage()) return null;
  try {
    const saved = JSON.parse(sessionStorage.getItem(KEY));
    return saved?.href === location.href ? saved : null;
  } catch {
    return null;
  }
}

/** Restore form elements, tab, cursor and text; page.checkpoint scores the text again. */
export function restorePage(element, { inputs, tab, cursor, session: text }) {
  for (const [id, value] of inputs) {
    const input = element.querySelector("#" + CSS.escape(id));
    if (!input) continue;
    input[valueProperty(input)] = value;
    input.dispatchEvent(new Event("input"));
  }
  openTab(tab);
  whenReady(() => page.live.restore(cursor));
  return session.restore({ ...text, checkpoint: page.checkpoint });
}

const valueProperty = ({ type }) => (type === "checkbox" ? "checked" : "value");
