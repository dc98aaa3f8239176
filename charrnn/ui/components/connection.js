// Problems of the connection to the server. Gradio shows them as toasts, which theme.css hides; the notice line shows their text
// instead. Gradio does not report requests that it cannot send at all.

import { page } from "./page_state.js";

const FIRST_ANSWER_MS = 4000; // after which the page asks the server for the reason
const PROBE_MS = 10_000; // time limit of such a request

/** Call back with the text of every toast that appears, and with the reason if the page receives no first answer. */
export function onConnectionError(callback) {
  const selector = "[data-testid=toast-text]";
  new MutationObserver((records) => {
    const added = records.flatMap((record) => [...record.addedNodes]).filter((node) => node.nodeType === Node.ELEMENT_NODE);
    const toasts = added.flatMap((node) => (node.matches(selector) ? [node] : [...node.querySelectorAll(selector)]));
    for (const toast of toasts) callback(toast.textContent.trim());
  }).observe(document.body, { childList: true, subtree: true });
  explainSilence(callback);
}

/** Ask the server, until its first answer (the list of networks) arrives, why it has not. */
async function explainSilence(callback) {
  let isAnswered = false;
  page.on("models-changed", () => (isAnswered = true));
  while (true) {
    await new Promise((resolve) => setTimeout(resolve, FIRST_ANSWER_MS));
    const reason = isAnswered ? "" : await reasonForSilence();
    if (isAnswered) return;
    callback(reason);
  }
}

/** Send a call that changes nothing; return the reason that its answer shows. */
async function reasonForSilence() {
  const call = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ event_id: "none" }) };
  try {
    const response = await fetch(new URL("gradio_api/reset", document.baseURI), { ...call, signal: AbortSignal.timeout(PROBE_MS) });
    if (response.ok) return "The server has not sent the networks yet: it may be busy. The page opens when they arrive.";
    const detail = await response.json().then((body) => body.detail, () => "");
    const answered = `The server refuses the requests of this page (status ${response.status})`;
    return detail ? `${answered}: ${detail}.` : `${answered}. A proxy in between may not pass them on: see docs/serving.md.`;
  } catch {
    return "The server does not answer: reload the page when it runs again.";
  }
}
