// Gate saturation: a figure for the model and the text of the tab, once its fold is open.

import { createViewQuery } from "../components/view_query.js";
import { page } from "../components/page_state.js";
import { createFigure } from "../components/plot/plotly_figure.js";
import { showUnit } from "./show_unit.js";
import { offerNetwork } from "./switch_network.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const folded = element.querySelector(".cr-figure");
  const request = () => ({ form: { text: page.unitText } });
  const view = createViewQuery({ element: folded, send, request, show, busyText: "Reading …" });
  const showFigure = createFigure(folded.querySelector(".cr-plot"), view.say, ({ data, customdata }) => {
    if (Number.isInteger(customdata)) showUnit(data.name, customdata); // not for the diagonal
  });
  for (const event of ["unit-text", "checkpoint-changed"]) page.on(event, view.ask);

  function show(answer) {
    if (answer.busy) return;
    offerNetwork(folded.querySelector(".cr-switch-network"), answer.other, "#cr-gates");
    showFigure(answer);
  }

  return view.receive;
}
