// The row of links at the top of a tab. A link opens the folds around its part, scrolls there and moves the focus to its heading.

import { navigate } from "./navigate.js";

/** Set up the view, which takes no answers. */
export function mount({ element }) {
  element.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    navigate({ part: link.hash });
    const heading = document.querySelector(link.hash)?.querySelector("summary:has(h2), h2");
    if (!heading) return;
    if (heading.tabIndex < 0) heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  });
}
