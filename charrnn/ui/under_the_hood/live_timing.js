// Timing of a training step: starts at the press of a button, shows its progress, and can be stopped.

import { requirePython } from "../components/needs_python.js";
import { page } from "../components/page_state.js";
import { createFigure } from "../components/plot/plotly_figure.js";
import { createTable } from "../components/table/table.js";
import { figureWidth } from "../components/view_query.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const [start, stop] = [element.querySelector(".cr-time-start"), element.querySelector(".cr-time-stop")];
  const message = element.querySelector(".cr-plot-words");
  const bar = element.querySelector("progress");
  const say = (text) => (message.textContent = text);
  const showFigure = createFigure(element.querySelector(".cr-plot"), say);
  const showTable = createTable(element.querySelector(".cr-table"));
  let number = 0;
  requirePython([start], start.parentElement);

  function ask(form) {
    number += 1;
    send("ask", { number, width: figureWidth(element), names: null, checkpoint: page.checkpoint, form });
  }

  function setRunning(isRunning) {
    const focused = document.activeElement;
    start.disabled = isRunning;
    stop.disabled = bar.hidden = !isRunning;
    if (focused === start && isRunning) stop.focus(); // a disabled button loses the focus
    if (focused === stop && !isRunning) start.focus();
  }

  start.addEventListener("click", () => {
    setRunning(true);
    bar.value = 0;
    say("Getting ready …");
    ask({});
  });
  stop.addEventListener("click", () => {
    say("Stopping …");
    ask({ stop: true });
  });

  return (value) => {
    const answer = JSON.parse(value);
    if (answer.number !== number) return;
    say(answer.words);
    setRunning(!!answer.busy);
    bar.value = answer.share || 0;
    if (!answer.figure) return;
    showFigure(answer);
    showTable(answer.table);
    element.querySelector(".cr-fold").hidden = !answer.table;
  };
}
