// Saliency: one text per model, colored by the influence of each character on the one at the cursor.

import { createViewQuery } from "../components/view_query.js";
import { countOf } from "../components/code_points.js";
import { createModelForms } from "../components/model_pair.js";
import { ColorScale } from "../components/color_scale.js";
import { characterSpan } from "../components/colored_text.js";
import { onTheme, page, quoted } from "../components/page_state.js";

const [MIN_LEVEL, MAX_LEVEL] = [-400, 200]; // hundredths of a decade: the ends of the scale
const UNDERLINED = 0; // one logit
const INFLUENCE = -200; // a hundredth of a logit
const MAX_CHARS = 240; // characters of the excerpt
const AFTER = 40; // of them after the cursor
const LOOK = 100; // ms between two checks of the cursor of the tab Write

const logits = (hundredths) => Number((10 ** (hundredths / 100)).toPrecision(2)).toString();

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const form = $("form");
  const own = form.elements.text;
  const [box, texts] = [$(".cr-heat"), $(".cr-heat-texts")];
  let given = null; // custom text; "" for the default; null for that of the tab Write
  let link = null; // {start, text, sha}: the excerpt of the text of Write
  let shown = null; // {characters, titles, heat: [{target: row}, {…}]}
  let [spans, cursor, hovered] = [[[], []], 1, null];

  // ------------------------------------------------------------------ queries

  function ofWrite() {
    const { record, drawn = 0, cursor: at = -1 } = page.live || {};
    if (!record || drawn < 2 || at < 0) return null;
    const end = Math.min(drawn, Math.max(at + AFTER, MAX_CHARS));
    const start = Math.max(0, end - MAX_CHARS);
    return { start, end, at: at - start, text: record.characters.slice(start, end).join("") };
  }

  const sides = createModelForms(form, false);
  const view = createViewQuery({
    element,
    send,
    lazily: true,
    request() {
      const write = given === null ? ofWrite() : null;
      link = write && { start: write.start, end: write.end, text: write.text };
      if (write) cursor = Math.max(1, write.at);
      return { form: { ...sides.values(), text: given ?? write?.text ?? "", of: write ? "write" : "own", position: cursor } };
    },
    show,
    asking: "Measuring …",
  });
  form.addEventListener("change", (event) => event.target !== own && view.ask());
  function read(text) {
    given = text;
    own.value = text ?? "";
    cursor = (text === null ? MAX_CHARS : countOf(text)) - 1;
    view.ask();
  }
  form.addEventListener("submit", () => read(own.value.trim() ? own.value : null));
  $(".cr-of-write").addEventListener("click", () => read(null));
  $(".cr-default").addEventListener("click", () => read(""));

  // While its text is shown here, the cursor of the tab Write is also the one here.
  let seen = null; // its position at the last check
  setInterval(() => {
    if (!element.clientWidth || given !== null || !shown || page.state === "writing") return;
    const write = ofWrite();
    if (!write) return;
    const at = write.start + write.at;
    const here = at - (link?.start ?? 0);
    const same = link && link.text === page.live.record.characters.slice(link.start, link.end).join("");
    if (!same || here >= shown.characters.length) return at !== seen && ((seen = at), view.ask());
    if (at !== seen && here >= 1) {
      seen = at;
      cursor = here;
      paint();
    }
  }, LOOK);

  // ------------------------------------------------------------------ drawing

  const heatOf = (side, target) => shown.heat[side][target];

  function paint() {
    if (!shown) return;
    const palette = new ColorScale(box);
    const target = hovered ?? cursor;
    spans.forEach((row, side) => {
      const heat = heatOf(side, target) || [];
      row.forEach((span, i) => {
        const value = heat[target - 1 - i] ?? null;
        const level = value === null ? 0 : Math.round((127 * Math.min(MAX_LEVEL - MIN_LEVEL, Math.max(0, value - MIN_LEVEL))) / (MAX_LEVEL - MIN_LEVEL));
        span.style.background = level ? palette.fills[level + 127] : "";
        span.style.color = level ? palette.inks[level + 127] : "";
        span.classList.toggle("cr-strong", value !== null && value >= UNDERLINED);
        span.classList.toggle("cr-here", i === target);
        span.classList.toggle("cr-ahead", i > target);
      });
    });
    $(".cr-readout").textContent = sentence(target);
  }

  function sentence(target) {
    const parts = shown.titles.map((title, side) => {
      const heat = heatOf(side, target);
      if (!heat) return title + ": not measured yet";
      const order = heat.map((value, i) => [value, i]).filter(([value]) => value !== null).sort((a, b) => b[0] - a[0]);
      if (!order.length) return title + ": nothing";
      const most = order.slice(0, 3).map(([value, i]) => `${quoted(shown.characters[target - 1 - i])} ${i + 1} back: ${logits(value)}`);
      const felt = Math.max(0, ...order.filter(([value]) => value >= INFLUENCE).map(([, i]) => i + 1));
      return `${title}, in logits: ${most.join(", ")}; more than 0.01 as far as ${felt} characters back`;
    });
    return `${quoted(shown.characters[target])}, character ${target + 1}. ${parts.join(". ")}.`;
  }

  function draw() {
    spans = [...texts.querySelectorAll(".cr-heat-text")].map((place) => {
      const row = shown.characters.map(characterSpan);
      place.dir = "auto";
      place.replaceChildren(...row);
      return row;
    });
    texts.querySelectorAll("h3").forEach((title, i) => (title.textContent = shown.titles[i]));
  }

  // ------------------------------------------------------------------ pointer and keys

  const inside = (i) => Math.max(1, Math.min(shown.characters.length - 1, i));

  function moveTo(i) {
    const to = inside(i);
    if (given === null && link) page.emit("cursor-moved", { by: to - cursor, atEnd: false });
    cursor = to;
    seen = given === null && link ? link.start + to : seen;
    hovered = null;
    paint();
    $("[role=status]").textContent = sentence(cursor);
  }

  texts.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch" || event.target.position === undefined || inside(event.target.position) === hovered) return;
    hovered = inside(event.target.position);
    paint();
  });
  texts.addEventListener("pointerleave", () => {
    if (hovered === null) return;
    hovered = null;
    paint();
  });
  texts.addEventListener("click", (event) => event.target.position !== undefined && moveTo(event.target.position));
  texts.addEventListener("keydown", (event) => {
    if (!shown || event.ctrlKey || event.metaKey || event.altKey) return;
    const to = { ArrowLeft: cursor - 1, ArrowRight: cursor + 1, Home: 1, End: shown.characters.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    moveTo(to);
  });
  onTheme(paint);

  function show(answer) {
    if (answer.busy) view.say(answer.words + " Measuring the other characters …");
    sides.offer(answer);
    box.hidden = !answer.text;
    if (!answer.text) return void (shown = null);
    if (!answer.part || !shown) {
      shown = { characters: Array.from(answer.text), titles: answer.titles, heat: [{}, {}] };
      if (link && answer.text !== link.text) link = null; // some characters are unknown to one of the models
      cursor = inside(cursor);
      draw();
    }
    answer.heat.forEach((rows, side) => rows.forEach((row, i) => (shown.heat[side][answer.targets[i]] = row)));
    paint();
  }

  return view.receive;
}
