// Saliency: one text per model, colored by the influence of each character on the one at the cursor.

import { createViewQuery } from "../components/view_query.js";
import { countCharacters } from "../components/code_points.js";
import { createModelForms } from "../components/model_pair.js";
import { ColorScale } from "../components/color_scale.js";
import { characterSpan } from "../components/colored_text.js";
import { onTheme, page, quoted } from "../components/page_state.js";
import { headingOf, registerUnlinked } from "../components/unlinked_state.js";

const [MIN_LEVEL, MAX_LEVEL] = [-400, 200]; // hundredths of a decade: the ends of the scale
const MIN_UNDERLINED = 0; // one logit
const MIN_INFLUENCE = -200; // a hundredth of a logit
const MAX_CHARS = 240; // of the excerpt
const CHARS_AFTER = 40; // of the excerpt, after the cursor
const POLL_MS = 100; // between two checks of the cursor of the tab Write

/** Format a level in logits. */
const logits = (hundredths) => Number((10 ** (hundredths / 100)).toPrecision(2)).toString();

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const form = $("form");
  const input = form.elements.text;
  const [box, texts] = [$(".cr-heat"), $(".cr-heat-texts")];
  let customText = null; // "" for the default; null for the text of the tab Write
  let excerpt = null; // {start, end, text}: the part of the text of Write that was sent; null for another text
  let shown = null; // {characters, titles, heat: [{target: row}, {…}]}
  let spans = [[], []]; // of both texts, by position
  let cursor = 1;
  let hovered = null; // position under the pointer

  // ------------------------------------------------------------------ queries

  /** Return the excerpt around the cursor of the tab Write, and the cursor in it; null without a text. */
  function excerptOfWrite() {
    const { record, drawn = 0, cursor: position = -1 } = page.live || {};
    if (!record || drawn < 2 || position < 0) return null;
    const end = Math.min(drawn, Math.max(position + CHARS_AFTER, MAX_CHARS));
    const start = Math.max(0, end - MAX_CHARS);
    return { start, end, position: position - start, text: record.characters.slice(start, end).join("") };
  }

  const pair = createModelForms(form, { changed: () => view.ask() });
  const view = createViewQuery({
    element,
    send,
    lazily: true,
    request() {
      excerpt = customText === null ? excerptOfWrite() : null;
      if (excerpt) cursor = Math.max(1, excerpt.position);
      return { form: { ...pair.values(), text: customText ?? excerpt?.text ?? "", of: excerpt ? "write" : "own", position: cursor } };
    },
    show,
    busyText: "Measuring …",
  });
  form.addEventListener("change", (event) => event.target !== input && view.ask());
  function measure(text) {
    customText = text;
    input.value = text ?? "";
    cursor = (text === null ? MAX_CHARS : countCharacters(text)) - 1;
    view.ask();
  }
  form.addEventListener("submit", () => measure(input.value.trim() ? input.value : null));
  $(".cr-of-write").addEventListener("click", () => measure(null));
  $(".cr-default").addEventListener("click", () => measure(""));

  registerUnlinked(() => (customText === null ? "" : "the text of " + headingOf(form)));
  registerUnlinked(() => (["A", "B"].every(pair.isDefault) ? "" : "the networks of " + headingOf(form)));

  let writeCursor = null; // position on the tab Write at the last check

  /** Move the cursor with that of the tab Write, or query again if it has left the excerpt or the text has changed. */
  function followWrite() {
    if (!element.clientWidth || customText !== null || !shown || page.state === "writing" || !excerptOfWrite()) return;
    const { cursor: position, record } = page.live;
    if (position === writeCursor) return;
    const target = position - (excerpt?.start ?? 0);
    const isSame = excerpt && excerpt.text === record.characters.slice(excerpt.start, excerpt.end).join("");
    if (!isSame || target >= shown.characters.length) {
      writeCursor = position;
      view.ask();
    } else if (target >= 1) {
      writeCursor = position;
      cursor = target;
      paint();
    }
  }
  setInterval(followWrite, POLL_MS);

  // ------------------------------------------------------------------ drawing

  function paint() {
    if (!shown) return;
    const palette = new ColorScale(box);
    const target = hovered ?? cursor;
    spans.forEach((row, side) => {
      const heat = shown.heat[side][target] || [];
      row.forEach((span, i) => {
        const value = heat[target - 1 - i] ?? -Infinity;
        const level = Math.round((127 * (Math.max(MIN_LEVEL, Math.min(MAX_LEVEL, value)) - MIN_LEVEL)) / (MAX_LEVEL - MIN_LEVEL));
        span.style.background = level ? palette.fills[level + 127] : "";
        span.style.color = level ? palette.letter : "";
        span.classList.toggle("cr-strong", value >= MIN_UNDERLINED);
        span.classList.toggle("cr-here", i === target);
        span.classList.toggle("cr-ahead", i > target);
      });
    });
    $(".cr-readout").textContent = describe(target);
    if (hovered === null) showCursor();
  }

  /** Scroll the texts to the cursor. */
  function showCursor() {
    const { offsetTop: top, offsetHeight: height } = spans[0][cursor];
    if (top < texts.scrollTop + 2 * height || top + height > texts.scrollTop + texts.clientHeight) texts.scrollTop = top - texts.clientHeight / 2;
  }

  function describe(target) {
    const parts = shown.titles.map((title, side) => {
      const heat = shown.heat[side][target];
      if (!heat) return title + ": not measured yet";
      const order = heat.map((value, i) => [value, i]).filter(([value]) => value !== null).sort((a, b) => b[0] - a[0]);
      if (!order.length) return title + ": nothing";
      const strongest = order.slice(0, 3).map(([value, i], rank) => {
        return `${quoted(shown.characters[target - 1 - i])} ${i + 1} back (${logits(value)}${rank ? "" : " logits"})`;
      });
      const reach = Math.max(0, ...order.filter(([value]) => value >= MIN_INFLUENCE).map(([, i]) => i + 1));
      return `${title}: strongest ${strongest.join(", ")}; influence reaches back ${reach} ${reach === 1 ? "character" : "characters"}`;
    });
    return `${quoted(shown.characters[target])}, character ${target + 1}. ${parts.join(". ")}.`;
  }

  function draw() {
    spans = [...texts.querySelectorAll(".cr-heat-text")].map((text) => {
      const row = shown.characters.map(characterSpan);
      Object.assign(text, { dir: "auto", translate: false });
      text.replaceChildren(...row);
      return row;
    });
    texts.querySelectorAll("h3").forEach((title, i) => (title.textContent = shown.titles[i]));
  }

  // ------------------------------------------------------------------ pointer and keys

  const clip = (i) => Math.max(1, Math.min(shown.characters.length - 1, i));

  function moveTo(i) {
    const target = clip(i);
    if (excerpt) {
      page.emit("cursor-moved", target - cursor);
      writeCursor = excerpt.start + target;
    }
    cursor = target;
    hovered = null;
    paint();
    $("[role=status]").textContent = describe(cursor);
  }

  texts.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch" || event.target.position === undefined || clip(event.target.position) === hovered) return;
    hovered = clip(event.target.position);
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
    const target = { ArrowLeft: cursor - 1, ArrowRight: cursor + 1, Home: 1, End: shown.characters.length - 1 }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    moveTo(target);
  });
  onTheme(paint);

  function show(answer) {
    if (answer.busy) view.say(answer.words + " Measuring the other characters …");
    box.hidden = !answer.text;
    if (!answer.text) {
      shown = null;
      return;
    }
    if (!answer.part || !shown) {
      shown = { characters: Array.from(answer.text), titles: pair.titles(), heat: [{}, {}] };
      if (excerpt && answer.text !== excerpt.text) excerpt = null; // some characters are unknown to one of the models
      cursor = clip(cursor);
      draw();
    }
    answer.heat.forEach((rows, side) => rows.forEach((row, i) => (shown.heat[side][answer.targets[i]] = row)));
    paint();
  }

  return view.receive;
}
