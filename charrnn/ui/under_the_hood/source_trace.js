// The cell's source, line by line, next to the values that each line computed at the cursor.

import { create } from "../components/create_element.js";
import { createViewQuery } from "../components/view_query.js";
import { ColorScale } from "../components/color_scale.js";
import { onTheme, page, visible } from "../components/page_state.js";
import { createSourceBlocks } from "./source_lines.js";

const LOOK = 100; // ms between two checks of the cursor
const PATIENCE = 4000; // ms after which an unanswered query is repeated
const AROUND = 9; // characters shown on either side of the cursor
const TAKES_ARROWS = "input, select, textarea, [role=tab], [contenteditable]";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const unit = $(".cr-hood-unit");
  const layer = $(".cr-hood-layer select");
  const blocks = createSourceBlocks($(".cr-hood-code"), choose);
  let queried = "";
  let since = -Infinity; // when the pending query was sent

  // ------------------------------------------------------------------ queries

  const place = () => {
    const { record, cursor = -1 } = page.live || {};
    return { record, cursor, text: record ? record.characters.slice(0, cursor + 1).join("") : "" };
  };
  const key = ({ record, text }) => JSON.stringify([record?.model.name, record?.model.sha256, record?.model.step, text]);
  const view = createViewQuery({
    element,
    send,
    request() {
      const { record, text } = place();
      const form = layer.value ? { text, layer: Number(layer.value) } : { text };
      return { checkpoint: record && { name: record.model.name, step: record.model.step }, form };
    },
    show,
    onAsk() {
      queried = key(place());
      since = performance.now();
    },
  });

  setInterval(() => {
    if (!element.clientWidth || performance.now() - since < PATIENCE) return;
    const now = place();
    if (now.record && key(now) !== queried) view.ask();
  }, LOOK);

  // ------------------------------------------------------------------ the character, the unit

  function showContext() {
    const { record, cursor } = place();
    const box = $(".cr-hood-context");
    if (!record || cursor < 0) return box.replaceChildren("–");
    const part = (from, to) => record.characters.slice(Math.max(0, from), to).map(visible);
    const pad = (characters) => " ".repeat(AROUND - characters.length);
    const [before, after] = [part(cursor - AROUND, cursor), part(cursor + 1, Math.min(page.live.drawn, cursor + 1 + AROUND))];
    const here = visible(record.characters[cursor]);
    const parts = [["span", pad(before) + before.join("")], ["b", here], ["span", after.join("") + pad(after)]];
    box.replaceChildren(...parts.map(([tag, text]) => create(tag, {}, text)));
    box.ariaLabel = "“" + here + "”, character " + (cursor + 1) + " of " + page.live.drawn;
  }

  function choose(which) {
    unit.value = which;
    blocks.magnify(which);
  }

  function move(by) {
    page.emit("cursor-moved", { by, atEnd: false });
  }

  unit.addEventListener("input", () => {
    const which = Math.round(Number(unit.value));
    if (unit.value !== "" && which >= 0 && which <= Number(unit.max)) blocks.magnify(which);
  });
  layer.addEventListener("change", view.ask);
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
    since = -Infinity;
    showContext();
    if (!answer.blocks) return blocks.show([]);
    unit.max = answer.units - 1;
    if (Number(unit.value) > answer.units - 1) unit.value = 0;
    $(".cr-hood-layer").hidden = answer.layers < 2;
    if (layer.options.length !== answer.layers) {
      layer.replaceChildren(...Array.from({ length: answer.layers }, (_, i) => new Option(i + 1 + " of " + answer.layers, i + 1)));
    }
    layer.value = answer.layer;
    blocks.show(answer.blocks, answer.units, Number(unit.value) || 0);
  }

  return view.receive;
}
