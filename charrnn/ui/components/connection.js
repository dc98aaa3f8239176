// What Gradio would say in boxes of its own, theme.css hides; the words stand in our notice line instead.

/** Call back with the words of every box. */
export function onTrouble(callback) {
  const boxes = "[data-testid=toast-text]";
  new MutationObserver((records) => {
    const added = records.flatMap((record) => [...record.addedNodes]).filter((node) => node.nodeType === Node.ELEMENT_NODE);
    const found = added.flatMap((node) => (node.matches(boxes) ? [node] : [...node.querySelectorAll(boxes)]));
    for (const box of found) callback(box.textContent.trim());
  }).observe(document.body, { childList: true, subtree: true });
}
