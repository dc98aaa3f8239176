// Connection errors: theme.css hides Gradio's toasts, and the notice line shows their text.

/** Call back with the text of every toast. */
export function onConnectionError(callback) {
  const boxes = "[data-testid=toast-text]";
  new MutationObserver((records) => {
    const added = records.flatMap((record) => [...record.addedNodes]).filter((node) => node.nodeType === Node.ELEMENT_NODE);
    const found = added.flatMap((node) => (node.matches(boxes) ? [node] : [...node.querySelectorAll(boxes)]));
    for (const box of found) callback(box.textContent.trim());
  }).observe(document.body, { childList: true, subtree: true });
}
