// The source of the cell, with the values that each line computed at the cursor.

import { create } from "../components/create_element.js";
import { createViewQuery } from "../components/view_query.js";
import { ColorScale } from "../components/color_scale.js";
import { onTheme, page, visible } from "../components/page_state.js";
import { registerUnlinked } from "../components/unlinked_state.js";
import { createDiagram } from "./cell_diagram.js";
import { createSourceBlocks } from "./source_lines.js";

const POLL_MS = 100; // between two checks of the cursor
const RETRY_MS = 4000; // after which an unanswered query is repeated
const CONTEXT_CHARS = 9; // shown on either side of the cursor
const TAKES_ARROWS = "input, select, textarea, [role=tab], [contenteditable]";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const unit = $(".cr-hood-unit");
  const layer = $(".cr-hood-layer select");
  const blocks = createSourceBlocks($(".cr-hood-code"), choose);
  const diagram = createDiagram($(".cr-hood-diagram"), blocks);
  let queriedKey = "";
  let queriedAt = -Infinity; // when the pending query was sent

  // ------------------------------------------------------------------ queries

  const cursorState = () => {
    const { record, cursor = -1 } = page.live || {};
    return { record, cursor, text: record ? record.characters.slice(0, cursor + 1).join("") : "" };
  };
  const key = ({ record, text }) => JSON.stringify([record?.model.name, record?.model.sha256, record?.model.step, text]);
  const view = createViewQuery({
    element,
    send,
    request() {
      const { record, text } = cursorState();
      const form = layer.value ? { text, layer: Number(layer.value) } : { text };
      return { checkpoint: record && { name: record.model.name, step: record.model.step }, form };
    },
    show,
    onAsk() {
      queriedKey = key(cursorState());
      queriedAt = performance.now();
    },
  });

  setInterval(() => {
    if (!element.clientWidth || performance.now() - queriedAt < RETRY_MS) return;
    const state = cursorState();
    if (state.record && key(state) !== queriedKey) view.ask();
  }, POLL_MS);

  // ------------------------------------------------------------------ character and unit

  function showContext() {
    const { record, cursor } = cursorState();
    const box = $(".cr-hood-context");
    if (!record || cursor < 0) return box.replaceChildren("–");
    const part = (from, to) => record.characters.slice(Math.max(0, from), to).map(visible);
    const pad = (characters) => " ".repeat(CONTEXT_CHARS - characters.length);
    const [before, after] = [part(cursor - CONTEXT_CHARS, cursor), part(cursor + 1, Math.min(page.live.drawn, cursor + 1 + CONTEXT_CHARS))];
    const current = visible(record.characters[cursor]);
    const parts = [["span", pad(before) + before.join("")], ["b", current], ["span", after.join("") + pad(after)]];
    box.replaceChildren(...parts.map(([tag, text]) => create(tag, {}, text)));
    box.ariaLabel = "“" + current + "”, character " + (cursor + 1) + " of " + page.live.drawn;
  }

  function showUnit(index) {
    blocks.showUnit(index);
    diagram.showUnit();
  }

  function choose(index) {
    unit.value = index;
    showUnit(index);
  }

  const move = (by) => page.emit("cursor-moved", by);

  unit.addEventListener("input", () => {
    const index = Math.round(Number(unit.value));
    if (unit.value !== "" && index >= 0 && index <= Number(unit.max)) showUnit(index);
  });
  layer.addEventListener("change", view.ask);
  registerUnlinked(() => (Number(unit.value) || layer.selectedIndex > 0 ? "the unit and block of Under the hood" : ""));
  for (const button of element.querySelectorAll(".cr-hood-step")) {
    button.addEventListener("click", () => move(Number(button.dataset.by)));
  }
  document.addEventListener("keydown", (event) => {
    if (!element.clientWidth || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!["ArrowLeft", "ArrowRight"].includes(event.key) || event.target.closest(TAKES_ARROWS)) return;
    event.preventDefault();
    move(event.key === "ArrowLeft" ? -1 : 1);
  });
  onTheme(() => blocks.paint(new ColorScale(element.querySelector(".cr-hood-code"))));

  // ------------------------------------------------------------------ answers

  function show(answer) {
    queriedAt = -Infinity;
    showContext();
    if (!answer.blocks) {
      blocks.show([]);
      return diagram.show();
    }
    unit.max = answer.units - 1;
    if (Number(unit.value) > answer.units - 1) unit.value = 0;
    $(".cr-hood-layer").hidden = answer.layers < 2;
    if (layer.options.length !== answer.layers) {
      layer.replaceChildren(...Array.from({ length: answer.layers }, (_, i) => new Option(i + 1 + " of " + answer.layers, i + 1)));
    }
    layer.value = answer.layer;
    blocks.show(answer.blocks, answer.units, Number(unit.value) || 0);
    diagram.show(answer.diagram);
  }

  return view.receive;
}
