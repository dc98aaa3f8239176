// Text, settings, tab and cursor outlive a reload of the page, in the browser's storage of this tab.

import { page } from "../components/page_state.js";
import { session } from "./page_session.js";

const KEY = "charrnn-page";
const BOXES = "input:not([type=range]), textarea:not([readonly])"; // the sliders follow the settings

/** Returns the title of the selected tab. */
export const selectedTab = () => document.querySelector('[role=tab][aria-selected="true"]')?.textContent.trim();

/** Save the page whenever it is hidden or left. */
export function savePage(element) {
  function save() {
    if (!page.live?.record) return;
    const boxes = [...element.querySelectorAll(BOXES)].map((box) => [box.id, box.type === "checkbox" ? box.checked : box.value]);
    const saved = { href: location.href, boxes, tab: selectedTab(), cursor: page.live.saved, session: session.saved() };
    try {
      sessionStorage.setItem(KEY, JSON.stringify(saved));
    } catch {
      // a browser that allows no storage opens the page as its address says
    }
  }
  addEventListener("pagehide", save);
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && save());
}

/** Returns the saved state if the page is being reloaded, else null. */
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

/** Put the boxes and the tab back. */
export function restoreBoxes(element, { boxes, tab }) {
  for (const [id, value] of boxes) {
    const box = element.querySelector("#" + CSS.escape(id));
    if (!box) continue;
    box[box.type === "checkbox" ? "checked" : "value"] = value;
    box.dispatchEvent(new Event("input"));
  }
  [...document.querySelectorAll("[role=tab]")].find((each) => each.textContent.trim() === tab)?.click();
}
