// Time it: a measurement that begins at the press of a button, shows how far it is, and can be stopped.

import { page } from "../components/page_state.js";
import { createFigure } from "../components/plot/figure.js";
import { createTable } from "../components/table/table.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const [start, stop] = [element.querySelector(".cr-time-start"), element.querySelector(".cr-time-stop")];
  const words = element.querySelector(".cr-plot-words");
  const bar = element.querySelector("progress");
  const say = (text) => (words.textContent = text);
  const showFigure = createFigure(element.querySelector(".cr-plot"), say);
  const showTable = createTable(element.querySelector(".cr-table"));
  let number = 0;

  function ask(form) {
    number += 1;
    const width = Math.round(Math.min(4000, Math.max(120, element.clientWidth)));
    send("ask", { number, width, names: null, checkpoint: page.checkpoint, form });
  }

  function running(yes) {
    const held = document.activeElement;
    start.disabled = yes;
    stop.disabled = bar.hidden = !yes;
    if (held === start && yes) stop.focus(); // a button that is disabled would lose the focus
    if (held === stop && !yes) start.focus();
  }

  start.addEventListener("click", () => {
    running(true);
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
    running(!!answer.busy);
    bar.value = answer.share || 0;
    if (!answer.figure) return;
    showFigure(answer);
    showTable(answer.table);
  };
}
