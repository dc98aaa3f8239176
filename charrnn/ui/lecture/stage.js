// The stage: one picture of the page, with everything else hidden.

/** Return a function that shows only the elements of a selector, as soon as they exist; null shows the whole page. */
export function createStage(panel) {
  let selector = null;
  let isQueued = false;

  /** Mark the panel, the elements and their ancestors, and return whether each part of the selector is there. */
  function mark() {
    document.querySelectorAll("[data-on-stage]").forEach((element) => delete element.dataset.onStage);
    const shown = [panel, ...(selector ? document.querySelectorAll(selector) : [])];
    for (const element of shown) {
      element.dataset.onStage = "picture";
      for (let parent = element.parentElement; parent; parent = parent.parentElement) {
        parent.dataset.onStage ||= "around";
        if (parent.matches("details")) parent.open = true;
      }
    }
    return !selector || selector.split(",").every((part) => document.querySelector(part));
  }

  // A tab's views are created when it is first opened.
  const observer = new MutationObserver(() => {
    if (isQueued) return;
    isQueued = true;
    requestAnimationFrame(() => {
      isQueued = false;
      if (mark()) observer.disconnect();
    });
  });

  return (shown) => {
    observer.disconnect();
    document.body.classList.toggle("cr-staged", shown !== null);
    selector = shown;
    if (!mark()) observer.observe(document.body, { childList: true, subtree: true });
  };
}
