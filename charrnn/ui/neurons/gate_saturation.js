// Gate saturation: a figure for the model and the text of the tab.

import { createViewQuery } from "../components/view_query.js";
import { page } from "../components/page_state.js";
import { createFigure } from "../components/plot/figure.js";
import { selectUnit } from "../components/unit_selection.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const request = () => ({ form: { text: page.unitText } });
  const view = createViewQuery({ element, send, request, show: (answer) => answer.busy || showFigure(answer), busyText: "Reading …" });
  const showFigure = createFigure(element.querySelector(".cr-plot"), view.say, ({ data, customdata }) => {
    if (!Number.isInteger(customdata)) return; // the diagonal
    selectUnit(data.name, customdata);
    document.querySelector("#cr-unit").scrollIntoView({ block: "start" });
  });
  for (const event of ["unit-text", "checkpoint-changed"]) page.on(event, view.ask);

  return view.receive;
}
