// One unit: the text colored by its activation, a histogram, and the excerpts with the highest and lowest activation.

import { createViewQuery } from "../components/view_query.js";
import { createColoredText } from "../components/colored_text.js";
import { create, setOptions } from "../components/create_element.js";
import { page, quoted, visible } from "../components/page_state.js";
import { createFigure } from "../components/plot/plotly_figure.js";
import { createTable } from "../components/table/table.js";
import { selectUnit } from "../components/unit_selection.js";

const withMinus = (value) => String(value).replace("-", "−");

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const form = $("form");
  const { view: views, unit } = form.elements;
  const [lists, scale] = [[...element.querySelectorAll(".cr-spans ol")], $(".cr-delta-scale")];
  let shown = null; // the answer, with the characters of its text

  const request = () => ({ form: { view: page.selectedUnit?.view ?? null, unit: page.selectedUnit?.unit ?? null, text: page.unitText } });
  const view = createViewQuery({ element, send, request, show, busyText: "Reading …" });
  const showFigure = createFigure($(".cr-plot"), view.say);
  const showTable = createTable($(".cr-table"));

  const text = createColoredText($(".cr-unit-text"), {
    level: (i) => {
      const { low, high } = shown.scale;
      const share = Math.max(0, Math.min(1, (shown.values[i] - low) / (high - low)));
      return Math.round(127 * (low < 0 ? 2 * share - 1 : share));
    },
    describe: (i) => `${quoted(shown.characters[i])}, character ${(i + 1).toLocaleString("en")}: ${withMinus(shown.values[i].toFixed(2))}`,
    moved: (i) => isShared() && page.emit("cursor-moved", i - page.live.cursor),
  });
  const isShared = () => !!shown && shown.text === page.live?.text; // with the tab Write, so that both have one cursor
  const followWrite = ([box]) => box.isIntersecting && isShared() && page.live.cursor >= 0 && text.goTo(page.live.cursor);
  new IntersectionObserver(followWrite).observe($(".cr-passage"));

  form.addEventListener("change", () => form.reportValidity() && selectUnit(views.value, unit.valueAsNumber));
  page.on("unit-selected", (sender) => sender !== element && view.ask());
  for (const event of ["unit-text", "checkpoint-changed"]) page.on(event, view.ask);

  /** Create a list item: an excerpt as a button that moves the cursor to it. */
  function excerptItem({ first, before, text: marked, after, peak }) {
    const signs = (characters) => Array.from(characters, (c) => (c === " " ? c : visible(c))).join("");
    const ariaLabel = `${signs(marked)}, ${peak.toFixed(2)}, from character ${(first + 1).toLocaleString("en")}: show it in the text`;
    const onclick = () => text.goTo(first);
    const parts = [signs(before), create("mark", {}, signs(marked)), signs(after)];
    const button = create("button", { type: "button", dir: "auto", translate: false, ariaLabel, onclick }, ...parts);
    return create("li", {}, button, create("span", {}, withMinus(peak.toFixed(2))));
  }

  function show(answer) {
    if (answer.views) {
      setOptions(views, answer.views, answer.view);
      Object.assign(unit, { max: answer.units - 1, value: answer.unit });
      selectUnit(answer.view, answer.unit, element);
    }
    if (answer.busy && !answer.text) return;
    $(".cr-tracked").hidden = !answer.table;
    showTable(answer.table, null);
    if (answer.text && shown?.number === answer.number) return; // later messages change the table only
    shown = answer.text ? { ...answer, characters: Array.from(answer.text) } : null;
    $(".cr-unit-title").textContent = answer.title || "One unit";
    $(".cr-spans").hidden = !shown;
    showFigure({ ...answer, words: answer.figure_words || "" });
    if (!shown) return text.show(null);
    const [low, , high] = scale.children;
    const prefixes = shown.scale.bounded ? ["", ""] : ["≤ ", "≥ "];
    [low.textContent, high.textContent] = [prefixes[0] + withMinus(shown.scale.low), prefixes[1] + withMinus(shown.scale.high)];
    scale.classList.toggle("cr-from-zero", shown.scale.low === 0);
    text.show(shown.characters, isShared() ? Math.max(0, page.live.cursor) : 0);
    if (!isShared() && shown.most.length) text.goTo(shown.most[0].first);
    lists.forEach((list, i) => list.replaceChildren(...[shown.most, shown.least][i].map(excerptItem)));
  }

  return view.receive;
}
