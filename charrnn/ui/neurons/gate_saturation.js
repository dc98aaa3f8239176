// Gate saturation: a figure for the selected model and the tab's text.

import { createViewQuery } from "../components/view_query.js";
import { page } from "../components/page_state.js";
import { createFigure } from "../components/plot/figure.js";
import { selectUnit } from "../components/unit_selection.js";

/** Set up the view; returns what takes the server's answers. */
export function mount({ element, send }) {
  const say = (words) => (element.querySelector(".cr-plot-words").textContent = words);
  const request = () => ({ form: { text: page.neuronText ?? "" } });
  const view = createViewQuery({ element, send, request, asked: () => say("Reading …") });
  const showFigure = createFigure(element.querySelector(".cr-plot"), say, ({ data, customdata }) => {
    if (!Number.isInteger(customdata)) return; // the diagonal
    selectUnit(data.name, customdata);
    document.querySelector("#cr-unit").scrollIntoView({ block: "start" });
  });
  for (const event of ["unit-text", "checkpoint-changed"]) page.on(event, view.ask);

  return (value) => {
    const answer = view.answered(value);
    if (!answer) return;
    say(answer.words);
    element.classList.toggle("cr-busy", !!answer.busy);
    if (!answer.busy) showFigure(answer);
  };
}
