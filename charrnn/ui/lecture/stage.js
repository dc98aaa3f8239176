// The stage: one picture of the page, with everything else hidden, as large as the window allows.

const LARGEST = 1.7; // times the usual size of the type
const SMALLEST = 0.85;
const STEP = 0.05;
const WRAPPED = 1.15; // times as many lines of a text by larger type
// Boxes that scroll if their text is too large.
const SCROLLED = ".cr-scene-texts div, .cr-text, .cr-written";

/**
 * Return a function that shows only the elements of a selector, as soon as they exist; null shows the whole page.
 *
 * Its second argument names the lines to which figures are restricted; null for all.
 */
export function createStage(panel) {
  let selector = null;
  let lines = null;
  let isQueued = false;
  const root = document.body;

  /** Mark the panel, the elements and their ancestors, and return whether each part of the selector is there. */
  function mark() {
    document.querySelectorAll("[data-on-stage]").forEach((element) => delete element.dataset.onStage);
    const shown = [panel, ...(selector ? document.querySelectorAll(selector) : [])];
    sizes.disconnect();
    growth.disconnect();
    for (const element of shown) {
      element.dataset.onStage = "picture";
      for (let parent = element.parentElement; parent; parent = parent.parentElement) {
        parent.dataset.onStage ||= "around";
        if (parent.matches("details")) parent.open = true;
      }
      sizes.observe(element);
      if (element.matches(".cr-writers")) growth.observe(element, { childList: true, characterData: true, subtree: true });
    }
    for (const figure of document.querySelectorAll(".cr-plot")) {
      const names = lines && shown.includes(figure) ? lines.join("\n") : "";
      if ((figure.dataset.lines ?? "") !== names) figure.dataset.lines = names;
    }
    return !selector || selector.split(",").every((part) => document.querySelector(part));
  }

  /** Choose the largest type with which all that is shown is in sight and hardly a further line of a text wraps. */
  function fit() {
    if (!root.classList.contains("cr-staged")) return;
    const shown = [...document.querySelectorAll("[data-on-stage=picture]")];
    const scrolled = [...document.querySelectorAll(SCROLLED)].filter((element) => element.closest("[data-on-stage=picture]"));
    const text = shown.find((element) => element.matches(".cr-text"));
    resize(1);
    const usual = heightOfLines(text);
    const isRight = (factor) =>
      shown.every((element) => element.getBoundingClientRect().bottom <= innerHeight) &&
      scrolled.every((element) => element.scrollHeight <= element.clientHeight + 1) &&
      heightOfLines(text) <= usual * factor * WRAPPED;
    let factor = LARGEST;
    for (resize(factor); factor > SMALLEST && !isRight(factor); resize(factor)) factor -= STEP;
  }

  /** Set the size of the type, and the height below the panel. */
  function resize(factor) {
    root.style.setProperty("--cr-type", factor);
    root.style.setProperty("--cr-below", Math.max(0, innerHeight - panel.getBoundingClientRect().bottom) + "px");
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
  const sizes = new ResizeObserver(fit);
  const growth = new MutationObserver(fit); // of a text that scrolls, so that its box keeps its size
  addEventListener("resize", fit);

  return (shown, shownLines = null) => {
    observer.disconnect();
    root.classList.toggle("cr-staged", shown !== null);
    [selector, lines] = [shown, shownLines];
    if (!mark()) observer.observe(document.body, { childList: true, subtree: true });
    fit();
  };
}

/** Return the height of the lines of a text. */
function heightOfLines(text) {
  const [first, last] = [text?.querySelector(".cr-line"), text?.lastElementChild];
  return first ? last.getBoundingClientRect().bottom - first.getBoundingClientRect().top : 0;
}
