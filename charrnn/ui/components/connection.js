// Connection errors. Gradio shows them as toasts, which theme.css hides; the notice line shows their text instead.

/** Call back with the text of every toast that appears. */
export function onConnectionError(callback) {
  const selector = "[data-testid=toast-text]";
  new MutationObserver((records) => {
    const added = records.flatMap((record) => [...record.addedNodes]).filter((node) => node.nodeType === Node.ELEMENT_NODE);
    const toasts = added.flatMap((node) => (node.matches(selector) ? [node] : [...node.querySelectorAll(selector)]));
    for (const toast of toasts) callback(toast.textContent.trim());
  }).observe(document.body, { childList: true, subtree: true });
}
