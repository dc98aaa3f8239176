// The live view: takes the server's messages, draws them at the asked speed, and keeps one cursor over text, heatmap and
// distribution. Hovering costs no round trip: every value and every logit that was sent is kept here.

import { onTrouble } from "../connection.js";
import { onTheme, page } from "../page.js";
import { branching } from "./branching.js";
import { showCaptions, symbol } from "./captions.js";
import { Cursor } from "./cursor.js";
import { pictureName, sentence, unitName } from "./cursor_words.js";
import { DistributionView } from "./distribution_view.js";
import { Heatmap } from "./heatmap.js";
import { HeatmapTools } from "./heatmap_tools.js";
import { Inbox } from "./inbox.js";
import { surpriseWords } from "./ladder.js";
import { Notice } from "./notice.js";
import { Pace } from "./pace.js";
import { Palette } from "./palette.js";
import { pointing } from "./pointing.js";
import { distribution } from "./sampler.js";
import { Switches } from "./switches.js";
import { TextRecord } from "./text_record.js";
import { showTextTitle } from "./text_title.js";
import { TextView } from "./text_view.js";

const SETTLE = 60; // ms between two drawings of the distribution while text runs: faster is unreadable

/** Set up the view; returns what takes the server's messages. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const text = new TextView($(".cr-text"));
  const next = new DistributionView($(".cr-distribution"));
  const map = new Heatmap($(".cr-canvas"), $(".cr-lens"));
  const notice = new Notice($(".cr-notice"));
  const cursor = new Cursor();
  const pace = new Pace();
  const inbox = new Inbox(() => send("resend", {}));
  let palette;
  let record = null;
  let drawn = 0; // characters on the page; record.length is what has arrived
  let shownAt = 0; // when the distribution was last drawn
  let order = "similarity";
  let dirty = true;
  let serverState = "empty";

  // ------------------------------------------------------------------ the cursor

  const at = () => cursor.at(drawn);
  const words = () => sentence(record, at(), cursor.row, drawn);

  function describe() {
    $(".cr-values").textContent = words();
    $(".cr-surprise").textContent = record ? surpriseWords(record, at()) : "";
    $(".cr-canvas").setAttribute("aria-label", pictureName(record, words(), map.change, next.latest));
  }

  function showDistribution() {
    if (!record) return next.clear();
    next.draw(record, at(), drawn, page.settings);
    shownAt = performance.now();
  }

  function redraw() {
    if (!record) return;
    const units = [cursor.unit, cursor.marked].filter((which) => which !== null);
    map.draw(record, drawn, palette, { cursor: drawn ? at() : null, units });
    map.magnify(record, drawn, palette, cursor.magnified(map, drawn));
  }

  /** After the cursor moved: frame, column, distribution, words. */
  function pointed(scroll = false) {
    if (!record) return;
    text.mark(at() >= 0 ? at() : null, scroll);
    redraw();
    showDistribution();
    describe();
  }

  // ------------------------------------------------------------------ colours and titles

  function colour(span, i) {
    if (cursor.unit === null) {
      span.style.background = span.style.color = "";
      return;
    }
    const level = map.level(record, i, cursor.unit) + 127;
    span.style.background = palette.fills[level];
    span.style.color = palette.inks[level];
  }

  function recolour() {
    text.box.classList.toggle("cr-coloured", cursor.unit !== null);
    if (record) text.spans.forEach(colour);
    const of = record ? (map.change ? "Δ" : "") + symbol(record.view.name) : "";
    showTextTitle($(".cr-text-title"), cursor.unit === null ? null : unitName(record, cursor.unit), of, () => paint(cursor.unit));
  }

  /** Colour the text by a unit; the same unit once more takes the colours away. */
  function paint(which) {
    cursor.unit = which === cursor.unit ? null : which;
    recolour();
    redraw();
    describe();
  }

  function arrange() {
    if (!record) return;
    map.arrange(order === "index" ? Array.from({ length: record.rows }, (_, i) => i) : record.view.orders[order]);
    cursor.point(map, drawn);
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
    inbox.restart();
    cursor.renew(record.rows, sameRun);
    if (message.parted !== undefined) sameRun ? (cursor.pinned = message.parted - 1) : page.emit("strayed"); // where texts part
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
    pace.restart();
  }

  /** Another character at one place; false where what stands before it has not all come. */
  function branch(message) {
    if (!record.branch(message)) return false;
    cut(message.from);
    cursor.hovered = null;
    return true;
  }

  /** Who answers does not know this page: another process, or the one there was has forgotten it. */
  function forgotten() {
    notice.show({ kind: "problem", text: "The server no longer knows this page: it opens anew, with your text and settings." });
    page.emit("forgotten");
  }

  function receive(value) {
    const message = JSON.parse(value);
    page.session ??= message.session;
    if (message.session !== page.session) return forgotten();
    if (message.text !== undefined && message.serial < record?.serial) return; // it was on its way while the text changed
    showKept(message);
    if (message.notice !== undefined) notice.show(message.notice);
    if (message.kind === "start") begin(message);
    if (message.text !== undefined) {
      if (!record || message.run !== record.run) return; // what a text that is gone still had on its way
      const fits = { start: () => true, more: () => record.append(message), branch: () => branch(message) };
      if (!inbox.complete(message, record, fits[message.kind]())) return;
      page.stats.columns = record.length;
    }
    if (message.state) {
      page.state = serverState = message.state;
      page.emit("state");
    }
    dirty = true;
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
    const seconds = pace.tick(now);
    if (!record) return;
    const backlog = record.length - drawn;
    if (backlog > 0) {
      if (serverState === "writing" && page.state === "writing") {
        advance(pace.due(seconds, backlog, page.settings.speed, drawn <= record.prompt));
      } else {
        advance(backlog);
      }
    } else {
      pace.rest();
    }
    if (!dirty || !palette) return;
    dirty = record.length > drawn;
    cursor.point(map, drawn);
    text.mark(at() >= 0 ? at() : null, false);
    redraw();
    if (!dirty || now - shownAt > SETTLE) showDistribution();
    describe();
    tools.offer(drawn);
    page.stats.frames += 1;
  }

  // ------------------------------------------------------------------ pointer and keys

  pointing({
    text,
    map,
    cursor,
    live: () => ({ record, drawn }),
    pointed,
    announce: () => ($('.cr-map [role="status"]').textContent = words()),
    redraw,
    paint,
  });
  page.on("settings", () => showDistribution());
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
    live: () => ({ record, drawn, cursor: at(), shown: element.offsetParent !== null }),
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
    get told() { return serverState; },
    get shown() { return element.offsetParent !== null; },
    get record() { return record; },
    get drawn() { return drawn; },
    get cursor() { return at(); },
    get map() { return map; },
    get text() { return record ? record.characters.slice(0, drawn).join("") : ""; },
    get received() { return record ? record.length : 0; },
    distribution,
    look: (range) => tools.look(range),
  };

  requestAnimationFrame(frame);
  return receive;
}
