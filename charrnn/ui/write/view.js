// The live view: draws the messages of the session at the asked speed, and keeps one cursor over text, heatmap and
// distribution. Hovering costs no call: every value and every logit is in the record.

import { onConnectionError } from "../components/connection.js";
import { onTheme, page } from "../components/page_state.js";
import { showInterventions } from "../session/interventions.js";
import { session } from "../session/page_session.js";
import { attachBranching } from "./branching.js";
import { showCaptions, symbol } from "./captions.js";
import { Cursor } from "./cursor.js";
import { pictureName, sentence, unitName } from "./cursor_labels.js";
import { DistributionView } from "./distribution.js";
import { Heatmap } from "./heatmap.js";
import { HeatmapRange } from "./heatmap_range.js";
import { surpriseWords } from "./top_candidates.js";
import { Notice } from "./notice.js";
import { DrawRate } from "./draw_rate.js";
import { ColorScale } from "../components/color_scale.js";
import { attachCursor } from "./cursor_input.js";
import { distribution } from "../components/sampler.js";
import { HeatmapOptions } from "./heatmap_options.js";
import { TextRecord } from "../components/text_record.js";
import { showTextTitle } from "./text_title.js";
import { TextView } from "./text_view.js";

const SETTLE = 60; // ms between two drawings of the distribution while text runs: faster is unreadable

/** Set up the view; it listens to the session, and takes no value from the server. */
export function mount({ element }) {
  const $ = (selector) => element.querySelector(selector);
  const text = new TextView($(".cr-text"));
  const next = new DistributionView($(".cr-distribution"));
  const map = new Heatmap($(".cr-canvas"), $(".cr-lens"));
  const notice = new Notice($(".cr-notice"));
  const cursor = new Cursor();
  const pace = new DrawRate();
  let palette;
  let record = null;
  let drawn = 0; // characters on the page; record.length is what has arrived
  let shownAt = 0; // when the distribution was last drawn
  let order = "similarity";
  let dirty = true;

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

  /** A text, or the same text as another model reads it, or with another view of the model. */
  function begin(message) {
    const before = record;
    record = new TextRecord(message);
    record.append(message);
    const sameRun = before && message.run === before.run;
    const stays = sameRun && before.prompt === record.prompt ? Math.min(drawn, record.common(before)) : 0;
    cursor.renew(record.rows, sameRun);
    if (message.parted !== undefined && sameRun) cursor.pinned = message.parted - 1; // where the texts differ
    if (!stays || stays < drawn) {
      cut(stays);
      advance(message.instant - stays); // prompt, example or a text that is read again: at once
    }
    if (text.laddered) text.ladder(record, true);
    switches.show(record);
    recolour();
    arrange();
  }

  /** Remove what follows a position. */
  function cut(length) {
    text.cut(length);
    drawn = Math.min(drawn, length);
    pace.restart();
    session.shown(drawn);
  }

  /** Drop what follows a position, and add what the message brings. */
  function branch(message) {
    record.branch(message);
    if (message.from < drawn) cut(message.from);
    cursor.hovered = null;
  }

  function receive(message) {
    showHistory(message);
    if (message.notice !== undefined) notice.show(message.notice);
    if (message.kind === "start") begin(message);
    else if (message.kind === "branch") branch(message);
    else if (message.kind === "more") record.append(message);
    if (message.kind === "more" && message.instant) advance(message.instant);
    page.stats.columns = record ? record.length : 0;
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
    session.shown(drawn);
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
      if (session.state === "writing") {
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

  attachCursor({
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
  const switches = new HeatmapOptions(element, {
    shown: (name) => session.show(name),
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
  const tools = new HeatmapRange(element, map, () => ({ record, drawn, palette }), arrange);
  showInterventions($(".cr-interventions"));
  onConnectionError((words) => notice.show({ kind: "problem", text: words }));

  const showHistory = attachBranching({
    element,
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
    palette = new ColorScale(element.querySelector(".cr-live"));
    if (!record) return;
    recolour();
    redraw();
  });

  // Exposed to keyboard shortcuts, measurements and tests.
  page.live = {
    get shown() { return element.offsetParent !== null; },
    get record() { return record; },
    get drawn() { return drawn; },
    get cursor() { return at(); },
    get map() { return map; },
    get text() { return record ? record.characters.slice(0, drawn).join("") : ""; },
    get received() { return record ? record.length : 0; },
    get saved() { return { pinned: cursor.pinned, unit: cursor.unit }; },
    restore({ pinned, unit }) {
      cursor.pinned = pinned;
      if (unit !== null && unit < record.rows) paint(unit);
      pointed(true);
    },
    distribution,
    look: (range) => tools.look(range),
  };

  session.onMessage(receive);
  if (session.model) {
    session.preface = session.notice; // it began before this view was there
    session.show(session.view);
  } else notice.show(session.notice);
  requestAnimationFrame(frame);
  return () => {};
}
