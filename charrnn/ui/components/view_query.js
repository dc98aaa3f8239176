// Queries of a view: sent when it becomes visible, when its inputs change, or when its width does.

import { findOrigin } from "./text_origin.js";
import { page } from "./page_state.js";

const WIDER = 1.12; // relative change of width at which labels are placed again

/**
 * lazily: query only while the view is within or near the viewport, else while its tab is open.
 *
 * Returns {ask, answered}: `ask` sends `request()`, now or when the view is next visible; `answered` parses an answer,
 * null if a newer query was sent.
 */
export function createViewQuery({ element, send, request, asked = () => {}, lazily = false }) {
  let number = 0;
  let due = true;
  let near = !lazily;
  let asWide = 0;
  let timer = null;

  const measured = () => (element.querySelector(".cr-plot")?.parentElement || element).clientWidth;

  function ask() {
    due = true;
    if (!element.clientWidth || !near) return;
    due = false;
    asWide = measured();
    number += 1;
    asked();
    const width = Math.round(Math.min(4000, Math.max(120, asWide)));
    const asks = { number, width, names: page.ticked ?? null, checkpoint: page.checkpoint, ...request() };
    const origin = findOrigin(asks.form?.text);
    if (origin) asks.form.origin = origin;
    send("ask", asks);
  }

  new ResizeObserver(() => {
    const width = measured();
    if (!width) return;
    if (due) ask();
    else if (width > asWide * WIDER || width < asWide / WIDER) {
      clearTimeout(timer);
      timer = setTimeout(ask, 250);
    }
  }).observe(element);

  if (lazily) {
    const watch = (entries) => {
      near = entries.at(-1).isIntersecting;
      if (due) ask();
    };
    new IntersectionObserver(watch, { rootMargin: "300px" }).observe(element);
  }

  return {
    ask,
    answered(value) {
      const answer = JSON.parse(value);
      return answer.number === number ? answer : null;
    },
  };
}
