// The tabs: those that are visible, and the open one.

const SELECTED = '[role=tab][aria-selected="true"]';

/** Return the buttons of the visible tabs in order. */
export const visibleTabs = () => [...document.querySelectorAll("[role=tab]")].filter((tab) => tab.offsetParent);

/** Call back with the button of the open tab, now and after every change. */
export function onOpenTab(callback) {
  let open = null;
  function check() {
    const tab = document.querySelector(SELECTED);
    if (!tab || tab === open) return;
    open = tab;
    callback(tab);
  }
  check();
  new MutationObserver(check).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["aria-selected"] });
}

/** Return the name of a tab in share_link.py, from the id of its button. */
export const tabName = (tab) => tab.id.replace(/^cr-tab-|-button$/g, "");
