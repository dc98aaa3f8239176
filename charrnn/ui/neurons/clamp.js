// A unit or a gate is held at a value: the two texts of the same dice, where they part, and what holding costs.

import { createViewQuery } from "../components/view_query.js";
import { createDivergence } from "../components/divergence.js";
import { createTextPair } from "../components/text_pair.js";
import { navigate } from "../components/navigate.js";
import { page } from "../components/page_state.js";
import { writeWith } from "../session/interventions.js";
import { createTable } from "../components/table/table.js";
import { textForm } from "../components/text_form.js";
import { createClampRows } from "./clamp_rows.js";

const PAUSE = 150; // milliseconds that a slider rests before it is asked for

/** Set up the part; returns what takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const numbers = $(".cr-numbers");
  const say = (words) => ($(".cr-plot-words").textContent = words);
  let text = ""; // that is read
  let timer = null;

  const left = (name) => document.querySelector("#cr-" + name);
  const request = () => ({
    form: {
      ...page.settings,
      prompt: left("prompt").value,
      seed: left("seed").valueAsNumber,
      characters: left("characters").valueAsNumber,
      clamps: page.clamps,
      neuron: page.neuron ?? null,
      text,
    },
  });
  const view = createViewQuery({ element, send, request, asked: () => say("Writing …") });
  function later() {
    clearTimeout(timer);
    timer = setTimeout(view.ask, PAUSE);
  }

  const rows = createClampRows($(".cr-clamps"), (clamps) => {
    page.clamps = clamps;
    page.clampsOf = page.checkpoint?.name;
    later();
  });
  const showTexts = createTextPair($(".cr-writers"));
  const showParting = createDivergence($(".cr-parting"));
  const showTable = createTable($(".cr-table"));

  $(".cr-hold-more").addEventListener("click", rows.add);
  $(".cr-write-with").addEventListener("click", () => {
    writeWith({ clamps: page.held });
    navigate({ tab: page.tabs.write });
  });
  textForm($("form"), (given) => {
    text = given;
    view.ask();
  });

  page.on("checkpoint-changed", () => {
    if (page.clampsOf !== page.checkpoint?.name) page.clamps = null; // they are about the units of another network
    view.ask();
  });
  page.on("settings", later);
  for (const name of ["prompt", "seed", "characters"]) left(name)?.addEventListener("change", later);
  page.on("clamps", view.ask); // a link, a scene, or another view has set them
  page.on("unit-selected", (who) => {
    if (!who) page.clamps = null; // the visitor looks at another unit: that one is held
    if (!page.clamps) view.ask();
  });

  return (value) => {
    const answer = view.answered(value);
    if (!answer) return;
    $(".cr-cost").textContent = answer.cost || "";
    numbers.hidden = !answer.table;
    if (answer.table) return showTable(answer.table, null);
    say(answer.words);
    if (answer.clamps) {
      page.held = answer.clamps.map(({ name, unit, value }) => ({ name, unit, value }));
      if (page.clamps) page.clamps = page.held; // values that were left open are known now
      page.emit("clamps-applied");
      rows.show(answer);
      $(".cr-usual-of").textContent = answer.usual_of;
    }
    showTexts(answer, answer.titles);
    $(".cr-why").hidden = !answer.parting;
    showParting(answer.parting, answer.titles);
  };
}
