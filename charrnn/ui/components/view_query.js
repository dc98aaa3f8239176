// Queries of a view: sent when it becomes visible, when its inputs or its width change, and again if no answer comes.

import { edition } from "./edition.js";
import { findOrigin } from "./text_origin.js";
import { page } from "./page_state.js";

const RESIZE_RATIO = 1.12; // change of width at which the server places the labels of a figure again
const FIRST_REPEAT_MS = 20_000; // without an answer, until the query is sent again; then twice as long, and so on

/** Return the width in CSS pixels for a figure in this element, as the server accepts it. */
export const figureWidth = (element) => Math.round(Math.min(4000, Math.max(120, element.clientWidth)));

/**
 * Set up the queries of a view and their answers.
 *
 * request(): fields of a query besides the common ones, null if there is nothing to ask yet; show(answer): shows an answer to the
 * newest query; busyText: shown while an answer is awaited; onAsk(): called with every query; lazily: query only while the view is
 * within or near the viewport, else while its tab is open; fold: a <details> around the view, which queries only while it is open;
 * isLocal: `send` computes the answer in the page, without `receive`.
 *
 * Returns {ask, askLater, say, receive}: `ask` sends a query, now or when the view is next visible; `askLater` sends it
 * after `pause` milliseconds without another call; `say` shows a message; `receive` takes the server's answers.
 */
export function createViewQuery({ element, send, request = () => ({}), show, busyText = "", onAsk = () => {}, lazily = false, fold = null, pause = 250, isLocal = false }) {
  const message = element.querySelector(".cr-plot-words");
  const say = (text) => (message.textContent = text);
  let number = 0; // of the newest query
  let isDue = true;
  let isNear = !lazily;
  let askedWidth = 0; // of the box when the newest query was sent
  let timer = null;
  let repeatTimer = null;
  let repeatMs = FIRST_REPEAT_MS;

  const figureBox = () => element.querySelector(".cr-plot")?.parentElement || element;

  function ask() {
    isDue = true;
    if (!element.clientWidth || !isNear || fold?.open === false) return;
    const requested = request();
    if (!requested) return;
    isDue = false;
    askedWidth = figureBox().clientWidth;
    number += 1;
    if (busyText) say(busyText);
    onAsk();
    const common = { number, width: figureWidth(figureBox()), names: page.selectedModels, checkpoint: page.checkpoint };
    const query = { ...common, ...requested };
    const origin = findOrigin(query.form?.text);
    if (origin) query.form.origin = origin;
    send("ask", query);
    repeatAfterSilence();
  }

  function repeatAfterSilence() {
    clearTimeout(repeatTimer);
    if (isLocal || edition.needsPython) return; // no server answers
    repeatTimer = setTimeout(() => {
      repeatMs *= 2;
      ask();
      if (!isDue) say("The server has not answered yet. The question was sent again.");
    }, repeatMs);
  }

  function askLater() {
    clearTimeout(timer);
    timer = setTimeout(ask, pause);
  }

  new ResizeObserver(() => {
    const width = figureBox().clientWidth; // 0 if a lecture shows the view without its figure
    if (isDue) ask();
    else if (!width) return;
    else if (width > askedWidth * RESIZE_RATIO || width < askedWidth / RESIZE_RATIO) askLater();
  }).observe(element);

  fold?.addEventListener("toggle", () => isDue && ask());

  if (lazily) {
    const onScroll = (entries) => {
      isNear = entries.at(-1).isIntersecting;
      if (isDue) ask();
    };
    new IntersectionObserver(onScroll, { rootMargin: "300px" }).observe(element);
  }

  return {
    ask,
    askLater,
    say,
    receive(value) {
      const answer = JSON.parse(value);
      if (answer.number !== number) return;
      clearTimeout(repeatTimer);
      repeatMs = FIRST_REPEAT_MS;
      if (answer.busy) repeatAfterSilence();
      say(answer.words);
      element.classList.toggle("cr-busy", !!answer.busy);
      show(answer);
    },
  };
}
