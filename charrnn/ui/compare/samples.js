// Samples of one model at each saved training step, from the same random draws.

import { create, setOptions } from "../components/create_element.js";
import { createViewQuery } from "../components/view_query.js";
import { fill } from "../components/page_state.js";
import { registerUnlinked } from "../components/unlinked.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const select = element.querySelector("select");
  const list = element.querySelector(".cr-samples");
  const request = () => ({ form: { model: select.value } });
  const view = createViewQuery({ element, send, request, show });
  let sampled = ""; // the model chosen by the user
  select.addEventListener("change", () => {
    sampled = select.value;
    view.ask();
  });
  registerUnlinked(() => sampled && "the model of the samples");

  function show({ models, chosen, samples = [] }) {
    if (models) setOptions(select, models, chosen);
    const items = samples.map(({ step, loss, text }) => {
      const head = create("h3", {}, `step ${step.toLocaleString("en")}`, create("span", {}, loss));
      return create("li", {}, head, fill(create("p", { dir: "auto" }), text));
    });
    list.replaceChildren(...items);
  }

  return view.receive;
}
