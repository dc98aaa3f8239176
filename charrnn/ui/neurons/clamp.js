// Clamps: the text sampled with and without them, the first difference, and the loss on a held-out text.

import { createViewQuery } from "../components/view_query.js";
import { navigate } from "../components/navigate.js";
import { titleOf } from "../components/offered_models.js";
import { page } from "../components/page_state.js";
import { createCoupledTexts, onTextSettings, writerOf } from "../session/coupled_view.js";
import { clampName, writeWith } from "../session/interventions.js";
import { isEqual } from "../session/session.js";
import { createTable } from "../components/table/table.js";
import { bindTextForm } from "../components/text_form.js";
import { createClampRows } from "./clamp_rows.js";

const MAX_CHARS = 600; // of each of the two texts
const PAUSE_MS = 150;

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  let clamps = null; // of the texts; null while the server chooses a value
  let isAsked = true; // the chosen clamps are those of the newest query

  const request = () => ({ form: { clamps: page.clamps, neuron: page.selectedUnit ?? null, text: text() } });
  const view = createViewQuery({ element, send, request, show, pause: PAUSE_MS, onAsk });

  function textRequest() {
    if (!clamps || !page.checkpoint) return null;
    const { checkpoint, prompt, seed, characters, ...values } = page.request();
    return {
      writers: [writerOf(checkpoint, values), writerOf(checkpoint, values, { clamps })],
      prompt,
      seed,
      characters: Math.min(MAX_CHARS, characters),
      titles: [`A · ${titleOf(checkpoint)}, as it is`, `B · frozen: ${clamps.map(clampName).join(", ")}`],
      whyIdentical: "the change never mattered for these random numbers",
    };
  }
  const texts = createCoupledTexts({ element, request: textRequest, pause: PAUSE_MS });

  const rows = createClampRows($(".cr-clamps"), (changed) => {
    page.clamps = changed;
    page.clampsOf = page.checkpoint?.name;
    hideCost(); // it is that of the former clamps
    isAsked = false;
    view.askLater();
    if (chooseClamps()) texts.askLater();
  });
  const showTable = createTable($(".cr-table"));

  $(".cr-freeze-another").addEventListener("click", rows.add);
  $(".cr-write-with").addEventListener("click", () => {
    writeWith({ clamps: page.appliedClamps });
    navigate({ tab: page.tabs.write });
  });
  const text = bindTextForm($("form"), view.ask);

  /** Use the requested clamps for the texts; null if the server has to choose one or its value. */
  function chooseClamps() {
    clamps = page.clamps?.length && page.clamps.every(({ value }) => typeof value === "number") ? page.clamps : null;
    return clamps;
  }

  function onAsk() {
    isAsked = true;
    hideCost();
  }

  function hideCost() {
    $(".cr-cost").textContent = "Measuring …";
    $(".cr-numbers").hidden = true;
  }

  function ask() {
    view.ask();
    if (chooseClamps()) texts.ask();
  }

  page.on("checkpoint-changed", () => {
    if (page.clampsOf !== page.checkpoint?.name) page.clamps = null; // clamps of another model
    ask();
  });
  onTextSettings(texts.askLater);
  page.on("clamps", ask);
  page.on("unit-selected", (sender) => {
    if (!sender) page.clamps = null; // the selected unit is clamped
    if (!page.clamps) ask();
  });

  function show(answer) {
    if (!isAsked) return undefined; // it would replace the clamps that were chosen since
    $(".cr-cost").textContent = answer.cost || "";
    $(".cr-numbers").hidden = !answer.table;
    if (answer.table) return showTable(answer.table, null);
    if (answer.clamps) {
      page.appliedClamps = answer.clamps.map(({ name, unit, value }) => ({ name, unit, value }));
      if (page.clamps) page.clamps = page.appliedClamps; // with the values that the server chose
      page.emit("clamps-applied");
      rows.show(answer);
      $(".cr-usual-of").textContent = answer.usual_of;
      const isShown = isEqual(clamps, page.appliedClamps);
      clamps = page.appliedClamps;
      if (!isShown) texts.ask();
    } else if (!clamps) texts.clear();
    return undefined;
  }

  return view.receive;
}
