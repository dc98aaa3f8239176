// Arrow keys on the tabs: only the selected one is in the tab order.

import { onOpenTab, visibleTabs } from "./open_tab.js";

const KEYS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

/** Keep the selected tab in the tab order, and move by keys. */
export function bindTabKeys() {
  onOpenTab((open) => visibleTabs().forEach((tab) => (tab.tabIndex = tab === open ? 0 : -1)));
  document.addEventListener("keydown", (event) => {
    if (!(event.key in KEYS) || event.altKey || event.ctrlKey || event.metaKey || !event.target.closest("[role=tab]")) return;
    const tabs = visibleTabs();
    const at = tabs.indexOf(event.target.closest("[role=tab]")) + KEYS[event.key];
    const tab = tabs[Math.max(0, Math.min(tabs.length - 1, at))];
    event.preventDefault();
    tab.focus();
    tab.click();
  });
}
