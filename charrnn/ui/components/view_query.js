// Queries of a view: sent when it becomes visible, when its inputs change, or when its width does.

import { findOrigin } from "./text_origin.js";
import { page } from "./page_state.js";

const WIDER = 1.12; // relative change of width at which labels are placed again

/**
 * Set up the queries of a view and their answers.
 *
 * request(): fields of a query besides the common ones; show(answer): shows an answer to the newest query; asking: words
 * shown while an answer is awaited; onAsk(): called with every query; lazily: query only while the view is within or near
 * the viewport, else while its tab is open.
 *
 * Returns {ask, askLater, say, receive}: `ask` sends a query, now or when the view is next visible; `askLater` sends it
 * after `pause` milliseconds without another call; `say` shows words; `receive` takes the server's answers.
 */
export function createViewQuery({ element, send, request = () => ({}), show, asking = "", onAsk = () => {}, lazily = false, pause = 250 }) {
  const words = element.querySelector(".cr-plot-words");
  const say = (text) => (words.textContent = text);
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
    if (asking) say(asking);
    onAsk();
    const width = Math.round(Math.min(4000, Math.max(120, asWide)));
    const asks = { number, width, names: page.selectedModels ?? null, checkpoint: page.checkpoint, ...request() };
    const origin = findOrigin(asks.form?.text);
    if (origin) asks.form.origin = origin;
    send("ask", asks);
  }

  function askLater() {
    clearTimeout(timer);
    timer = setTimeout(ask, pause);
  }

  new ResizeObserver(() => {
    const width = measured();
    if (!width) return;
    if (due) ask();
    else if (width > asWide * WIDER || width < asWide / WIDER) askLater();
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
    askLater,
    say,
    receive(value) {
      const answer = JSON.parse(value);
      if (answer.number !== number) return;
      say(answer.words);
      element.classList.toggle("cr-busy", !!answer.busy);
      show(answer);
    },
  };
}
