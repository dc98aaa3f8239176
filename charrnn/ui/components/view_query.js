// A view that asks the server for what it shows: when it comes into sight, when something changed, when its width did.

import { originOf } from "./text_origin.js";
import { page } from "./page_state.js";

const WIDER = 1.12; // a figure that much wider or narrower places its names anew

/**
 * `lazily`: only where the view is on the screen, or nearly; else whenever its tab is open.
 *
 * Returns {ask, answered}: `ask` sends what `request` says, now or when the view is next in sight; `answered` reads an
 * answer, null where a newer question is on its way.
 */
export function asking({ element, send, request, asked = () => {}, lazily = false }) {
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
    const origin = originOf(asks.form?.text);
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
