// What Gradio would say in boxes of its own, theme.css hides; the words stand in our notice line instead.

import { page } from "./page.js";

const MEANS = "The connection to the server is lost. The page tries again by itself and then opens anew, with your text and settings.";
const LOST = "Connection to the server was lost"; // Gradio asks for it every two seconds then, and reloads the page

/** The same on the other tabs, where the line over the text is out of sight. */
function sayEverywhere() {
  if (document.querySelector(".cr-lost")) return;
  const bar = document.createElement("p");
  bar.className = "cr-lost";
  bar.setAttribute("role", "alert");
  bar.textContent = MEANS;
  document.querySelector(".cr-main").prepend(bar);
}

/** Call back with the words of every box, and where the connection is lost with what that means. */
export function onTrouble(callback) {
  page.on("lost", () => {
    callback(MEANS);
    sayEverywhere();
  });
  const heard = (box) => {
    const words = box.textContent.trim();
    page.lost ||= words.startsWith(LOST);
    page.lost ? page.emit("lost") : callback(words);
  };
  const boxes = "[data-testid=toast-text]";
  new MutationObserver((records) => {
    const added = records.flatMap((record) => [...record.addedNodes]).filter((node) => node.nodeType === Node.ELEMENT_NODE);
    added.flatMap((node) => (node.matches(boxes) ? [node] : [...node.querySelectorAll(boxes)])).forEach(heard);
  }).observe(document.body, { childList: true, subtree: true });
}
