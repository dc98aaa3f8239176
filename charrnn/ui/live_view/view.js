// The live view: takes the server's messages, draws them at the asked speed, and keeps one cursor over text, heatmap and
// distribution. Hovering costs no round trip: every value and every logit that was sent is kept here.

import { onTrouble } from "../connection.js";
import { onTheme, page, quoted } from "../page.js";
import { branching } from "./branching.js";
import { number, rowWord, showCaptions, symbol, titleOf } from "./captions.js";
import { DistributionView } from "./distribution_view.js";
import { Heatmap } from "./heatmap.js";
import { HeatmapTools } from "./heatmap_tools.js";
import { surpriseWords } from "./ladder.js";
import { Notice } from "./notice.js";
import { Palette } from "./palette.js";
import { distribution } from "./sampler.js";
import { Switches } from "./switches.js";
import { TextRecord } from "./text_record.js";
import { showTextTitle } from "./text_title.js";
import { TextView } from "./text_view.js";

const HORIZON = 0.25; // seconds within which a backlog is drawn, whatever the speed
const PATIENCE = 2000; // ms within which a lost message is asked for once
const SETTLE = 60; // ms between two drawings of the distribution while text runs: faster is unreadable

/** Set up the view; returns what takes the server's messages. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const text = new TextView($(".cr-text"));
  const next = new DistributionView($(".cr-distribution"));
  const map = new Heatmap($(".cr-canvas"), $(".cr-lens"));
  const notice = new Notice($(".cr-notice"));
  let palette;
  let record = null;
  let drawn = 0; // characters on the page; record.length is what has arrived
  let credit = 0; // characters that may be drawn by now
  let last = 0; // time of the last frame
  let pinned = null; // where the visitor put the cursor; null follows the text
  let pointer = null; // the last event of a pointer that is over the heatmap
  let hovered = null; // {position, unit} under the pointer
  let unit = null; // the unit that colours the text
  let marked = null; // the unit of the cursor, moved by keys
  let shownAt = 0; // when the distribution was last drawn
  let order = "similarity";
  let dirty = true;
  let serverState = "empty";
  let missed = 0; // the serial number of the newest message that did not fit to what had come before
  let askedAt = -Infinity; // when everything was asked for once more

  // ------------------------------------------------------------------ the cursor

  const cursor = () => {
    if (hovered) return Math.min(hovered.position, drawn - 1);
    if (pinned !== null) return Math.min(pinned, drawn - 1);
    return drawn - 1;
  };
  const cursorUnit = () => hovered?.unit ?? marked ?? unit;

  function sentence() {
    const i = cursor();
    if (!record || i < 0) return "";
    const place = "character " + (i + 1) + " of " + drawn;
    const which = cursorUnit();
    if (which === null) return quoted(record.characters[i]) + ", " + place;
    const [view, name] = [record.view, symbol(record.view.name)];
    const value = name + " = " + number(record.value(i, which), view, view.low < 0);
    const change = "Δ" + name + " = " + number(record.change(i, which), view, true);
    return unitName(which) + " at " + quoted(record.characters[i]) + ": " + value + ", " + change + " · " + place;
  }
  const unitName = (which) => rowWord(record.view.name) + " " + which;

  function describe() {
    const words = sentence();
    $(".cr-values").textContent = words;
    $(".cr-surprise").textContent = record ? surpriseWords(record, cursor()) : "";
    const likely = next.latest
      ? next.latest.order.slice(0, 3).map((id, rank) => quoted(record.vocabulary[id]) + " " + (100 * next.latest.probs[rank]).toFixed(0) + "%")
      : [];
    $(".cr-canvas").setAttribute("aria-label", (record ? titleOf(record.view, map.change) + ". " : "") + words + (likely.length ? ". Likely next: " + likely.join(", ") : ""));
  }

  function showDistribution() {
    if (!record) return next.clear();
    next.draw(record, cursor(), drawn, page.settings);
    shownAt = performance.now();
  }

  function redraw() {
    if (!record) return;
    const units = [unit, marked].filter((which) => which !== null);
    map.draw(record, drawn, palette, { cursor: drawn ? cursor() : null, units });
    map.magnify(record, drawn, palette, magnified());
  }

  /** The cell to enlarge: the one under the pointer, else the one that keys have walked to. */
  function magnified() {
    if (pointer) return hovered;
    return marked !== null && document.activeElement === map.canvas && drawn ? map.cell(cursor(), marked) : null;
  }

  /** After the cursor moved: frame, column, distribution, words. */
  function pointed(scroll = false) {
    if (!record) return;
    text.mark(cursor() >= 0 ? cursor() : null, scroll);
    redraw();
    showDistribution();
    describe();
  }

  // ------------------------------------------------------------------ colours and titles

  function colour(span, i) {
    if (unit === null) {
      span.style.background = span.style.color = "";
      return;
    }
    const level = map.level(record, i, unit) + 127;
    span.style.background = palette.fills[level];
    span.style.color = palette.inks[level];
  }

  function recolour() {
    text.box.classList.toggle("cr-coloured", unit !== null);
    if (record) text.spans.forEach(colour);
    const of = record ? (map.change ? "Δ" : "") + symbol(record.view.name) : "";
    showTextTitle($(".cr-text-title"), unit === null ? null : unitName(unit), of, () => paint(unit));
  }

  /** Colour the text by a unit; the same unit once more takes the colours away. */
  function paint(which) {
    unit = which === unit ? null : which;
    recolour();
    redraw();
    describe();
  }

  function arrange() {
    if (!record) return;
    map.arrange(order === "index" ? Array.from({ length: record.rows }, (_, i) => i) : record.view.orders[order]);
    if (pointer) hovered = map.under(pointer, drawn);
    tools.show();
    showCaptions(element, record, map, order);
    redraw();
  }

  // ------------------------------------------------------------------ messages

  /** A text, or the one that stands here as another model reads it, or with something else of the model to see. */
  function begin(message) {
    const before = record;
    record = new TextRecord(message);
    record.append(message);
    const sameRun = before && message.run === before.run;
    const stays = sameRun && before.prompt === record.prompt ? Math.min(drawn, record.common(before)) : 0;
    askedAt = -Infinity;
    hovered = null;
    if (!sameRun) pinned = marked = null;
    if (unit !== null && unit >= record.rows) unit = null;
    if (marked !== null && marked >= record.rows) marked = null;
    if (message.parted !== undefined) sameRun ? (pinned = message.parted - 1) : page.emit("strayed"); // where texts part
    if (!stays || stays < drawn) {
      cut(stays);
      advance(message.instant - stays); // prompt, example or a re-read text: at once
    }
    if (text.laddered) text.ladder(record, true);
    switches.show(record);
    recolour();
    arrange();
  }

  /** Take away what stands from a position on. */
  function cut(length) {
    text.cut(length);
    drawn = Math.min(drawn, length);
    credit = 0;
  }

  /** Another character at one place; false where what stands before it has not all come. */
  function branch(message) {
    if (!record.branch(message)) return false;
    cut(message.from);
    hovered = null;
    return true;
  }

  function receive(value) {
    const message = JSON.parse(value);
    if (message.text !== undefined && message.serial < record?.serial) return; // it was on its way while the text changed
    showKept(message);
    if (message.notice !== undefined) notice.show(message.notice);
    if (message.kind === "start") begin(message);
    if (message.text !== undefined) {
      if (!record || message.run !== record.run) return; // what a text that is gone still had on its way
      const fits = { start: () => true, more: () => record.append(message), branch: () => branch(message) };
      if (!fits[message.kind]()) missed = Math.max(missed, message.serial);
      if (missed > record.serial) askAgain();
      if (missed >= message.serial) return;
      page.stats.columns = record.length;
    }
    if (message.state) {
      page.state = serverState = message.state;
      page.emit("state");
    }
    dirty = true;
  }

  /** What is missing comes with everything else; one request at a time is enough. */
  function askAgain() {
    if (performance.now() - askedAt < PATIENCE) return;
    askedAt = performance.now();
    page.stats.lost += 1;
    send("resend", {});
  }

  /** Put the next n characters on the page. */
  function advance(n) {
    if (n <= 0) return;
    const to = Math.min(record.length, drawn + n);
    text.append(record, drawn, to, colour);
    const written = to > record.prompt && drawn < Math.max(to, record.prompt);
    drawn = to;
    dirty = true;
    if (written && page.stats.clickedAt && page.stats.firstCharacterMs === null) {
      page.stats.firstCharacterMs = performance.now() - page.stats.clickedAt;
    }
  }

  function frame(now) {
    requestAnimationFrame(frame);
    const seconds = Math.min(0.5, (now - last) / 1000);
    last = now;
    if (!record) return;
    const backlog = record.length - drawn;
    if (backlog > 0) {
      if (serverState === "writing" && page.state === "writing") {
        const asked = page.settings.speed || Infinity;
        credit = Math.min(credit + seconds * Math.max(asked === Infinity ? 0 : asked, backlog / HORIZON), backlog + 1);
        if (drawn <= record.prompt) credit = Math.max(credit, 1); // the first one at once
        const n = Math.floor(credit);
        credit -= n;
        advance(n);
      } else {
        advance(backlog);
      }
    } else {
      credit = Math.min(credit, 1);
    }
    if (!dirty || !palette) return;
    dirty = record.length > drawn;
    if (pointer) hovered = map.under(pointer, drawn); // the columns move under a pointer that rests
    text.mark(cursor() >= 0 ? cursor() : null, false);
    redraw();
    if (!dirty || now - shownAt > SETTLE) showDistribution();
    describe();
    page.stats.frames += 1;
  }

  // ------------------------------------------------------------------ pointer and keys

  text.box.addEventListener("pointermove", (event) => {
    const position = text.positionOf(event);
    if (position === null || (hovered && hovered.position === position)) return;
    hovered = { position };
    pointed();
  });
  text.box.addEventListener("pointerleave", () => {
    hovered = null;
    pointed();
  });
  text.box.addEventListener("click", (event) => {
    const position = text.positionOf(event);
    if (position === null) return;
    pinned = position === drawn - 1 ? null : position;
    pointed();
  });
  map.canvas.addEventListener("pointermove", (event) => {
    pointer = event;
    hovered = record && map.under(event, drawn);
    pointed();
  });
  map.canvas.addEventListener("pointerleave", () => {
    pointer = hovered = null;
    pointed();
  });
  for (const change of ["focus", "blur"]) map.canvas.addEventListener(change, redraw);
  map.canvas.addEventListener("click", (event) => {
    const at = record && map.under(event, drawn);
    if (at) paint(at.unit);
  });

  const announce = () => ($('.cr-map [role="status"]').textContent = sentence());
  page.on("move", (move) => {
    if (!record) return;
    const to = cursor() + move.by;
    if (to >= drawn) {
      move.atEnd = page.state !== "writing";
      return;
    }
    hovered = null;
    pinned = to === drawn - 1 ? null : Math.max(-1, to);
    pointed(true);
    announce();
  });
  page.on("unit", (by) => {
    if (!map.rows) return;
    const row = map.rows.includes(marked) ? map.rows.indexOf(marked) + by : 0;
    marked = map.rows[Math.max(0, Math.min(map.rows.length - 1, row))];
    pointed();
    announce();
  });
  page.on("colour", () => cursorUnit() !== null && paint(cursorUnit()));
  page.on("release", () => {
    pinned = marked = null;
    if (unit !== null) paint(unit);
    pointed(true);
  });
  page.on("settings", () => showDistribution());
  page.on("painted", (at) => {
    if ((at?.unit ?? null) !== unit) paint(at?.unit ?? unit);
    if (!at) return;
    pinned = at.position;
    pointed(true);
  });

  const switches = new Switches(element, {
    shown: (name) => send("show", { view: name }),
    changed(yes) {
      map.change = yes;
      recolour();
      arrange();
    },
    ordered(by) {
      order = by;
      map.range = null; // other units stand in those rows
      arrange();
    },
  });
  const tools = new HeatmapTools(element, map, () => ({ record, drawn, palette }), arrange);
  onTrouble((words) => notice.show({ kind: "problem", text: words }));

  const showKept = branching({
    element,
    send,
    live: () => ({ record, drawn, cursor: cursor(), shown: element.offsetParent !== null }),
    say: (words) => notice.show({ kind: "note", text: words }),
  });
  $(".cr-ladder").addEventListener("click", () => {
    text.ladder(record, !text.laddered);
    $(".cr-ladder").setAttribute("aria-pressed", text.laddered);
    pointed(true);
  });

  new ResizeObserver(() => {
    map.measure();
    if (record) showCaptions(element, record, map, order);
    redraw();
  }).observe(map.canvas.parentElement);
  onTheme(() => {
    palette = new Palette(element.querySelector(".cr-live"));
    if (!record) return;
    recolour();
    redraw();
  });

  // What the keyboard, a measurement or a test may look at.
  page.live = {
    get shown() { return element.offsetParent !== null; },
    get record() { return record; },
    get drawn() { return drawn; },
    get cursor() { return cursor(); },
    get map() { return map; },
    get text() { return record ? record.characters.slice(0, drawn).join("") : ""; },
    get received() { return record ? record.length : 0; },
    distribution,
  };

  requestAnimationFrame(frame);
  return receive;
}
