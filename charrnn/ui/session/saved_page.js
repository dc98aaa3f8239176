// Saves text, settings, tab and cursor across a reload, in the session storage.

import { openTab } from "../components/navigate.js";
import { page } from "../components/page_state.js";
import { session } from "./page_session.js";

const KEY = "charrnn-page";
const BOXES = "input:not([type=range]), textarea:not([readonly])"; // the sliders follow the settings

/** Title of the selected tab. */
export const selectedTab = () => document.querySelector('[role=tab][aria-selected="true"]')?.textContent.trim();

/** Save the page when it is hidden or left. */
export function savePage(element) {
  function save() {
    if (!page.live?.record) return;
    const boxes = [...element.querySelectorAll(BOXES)].map((box) => [box.id, box.type === "checkbox" ? box.checked : box.value]);
    const saved = { href: location.href, boxes, tab: selectedTab(), cursor: page.live.saved, session: session.saved() };
    try {
      sessionStorage.setItem(KEY, JSON.stringify(saved));
    } catch {
      // without storage, a reload opens the link
    }
  }
  addEventListener("pagehide", save);
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && save());
}

/** Return the saved state if the page is being reloaded, else null. */
export function savedPage() {
  const [navigation] = performance.getEntriesByType("navigation");
  if (navigation?.type === "navigate") return null;
  try {
    const saved = JSON.parse(sessionStorage.getItem(KEY));
    return saved?.href === location.href ? saved : null;
  } catch {
    return null;
  }
}

/** Restore the form elements and the tab. */
export function restoreBoxes(element, { boxes, tab }) {
  for (const [id, value] of boxes) {
    const box = element.querySelector("#" + CSS.escape(id));
    if (!box) continue;
    box[box.type === "checkbox" ? "checked" : "value"] = value;
    box.dispatchEvent(new Event("input"));
  }
  openTab(tab);
}
