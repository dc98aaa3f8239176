// The live view: draws the session's messages at the selected speed, with one cursor for text, heatmap and distribution.
// Hovering needs no request: the record contains every activation and logit.

import { onConnectionError } from "../components/connection.js";
import { create } from "../components/create_element.js";
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
import { describeSurprisal } from "./top_candidates.js";
import { Notice } from "./notice.js";
import { DrawRate } from "./draw_rate.js";
import { ColorScale } from "../components/color_scale.js";
import { attachCursor } from "./cursor_input.js";
import { distribution } from "../components/sampler.js";
import { HeatmapOptions } from "./heatmap_options.js";
import { TextRecord } from "../components/text_record.js";
import { TextView } from "./text_view.js";

const SETTLE = 60; // ms between two updates of the distribution while the text grows

/** Set up the view. It listens to the session and takes no values from the server. */
export function mount({ element }) {
  const $ = (selector) => element.querySelector(selector);
  const text = new TextView($(".cr-text"));
  const next = new DistributionView($(".cr-distribution"));
  const map = new Heatmap($(".cr-canvas"), $(".cr-lens"));
  const notice = new Notice($(".cr-notice"));
  const cursor = new Cursor();
  const drawRate = new DrawRate();
  let palette;
  let record = null;
  let drawn = 0; // characters on the page; record.length is what has arrived
  let shownAt = 0; // when the distribution was last drawn
  let order = "similarity";
  let dirty = true;

  // ------------------------------------------------------------------ the cursor

  const position = () => cursor.at(drawn);
  const words = () => sentence(record, position(), cursor.row, drawn);

  function describe() {
    $(".cr-values").textContent = words();
    $(".cr-surprise").textContent = record ? describeSurprisal(record, position()) : "";
    $(".cr-canvas").setAttribute("aria-label", pictureName(record, words(), map.change, next.latest));
  }

  /** Say who runs the network: the page, or the server and why. */
  function showWriter() {
    if (!page.way) return;
    const { engine, reason } = page.way;
    $(".cr-writer").textContent = engine ? "The network runs in this page." : "The server runs the network" + (reason ? ": " + reason : "") + ".";
  }

  function showDistribution() {
    if (!record) return next.clear();
    next.draw(record, position(), drawn, page.settings);
    shownAt = performance.now();
  }

  function redraw() {
    if (!record) return;
    const units = [cursor.unit, cursor.marked].filter((which) => which !== null);
    map.draw(record, drawn, palette, { cursor: drawn ? position() : null, units });
    map.magnify(record, drawn, palette, cursor.magnified(map, drawn));
  }

  /** Update everything that depends on the cursor. */
  function pointed(scroll = false) {
    if (!record) return;
    text.mark(position() >= 0 ? position() : null, scroll);
    redraw();
    showDistribution();
    describe();
  }

  // ------------------------------------------------------------------ colors and titles

  function color(span, i) {
    if (cursor.unit === null) {
      span.style.background = span.style.color = "";
      return;
    }
    const level = map.level(record, i, cursor.unit) + 127;
    span.style.background = palette.fills[level];
    span.style.color = palette.inks[level];
  }

  function recolor() {
    text.box.classList.toggle("cr-coloured", cursor.unit !== null);
    if (record) text.spans.forEach(color);
    const title = $(".cr-text-title");
    title.replaceChildren("text");
    if (cursor.unit === null) return;
    const of = (map.change ? "Δ" : "") + symbol(record.view.name);
    const properties = { type: "button", className: "cr-uncolour", ariaLabel: "Remove the colours", onclick: () => paint(cursor.unit) };
    title.append(", coloured by " + of + " of ", create("b", {}, unitName(record, cursor.unit)), " ", create("button", properties, "×"));
  }

  /** Color the text by a unit, or remove the colors of this unit. */
  function paint(which) {
    cursor.unit = which === cursor.unit ? null : which;
    recolor();
    redraw();
    describe();
  }

  function arrange() {
    if (!record) return;
    map.arrange(order === "index" ? Array.from({ length: record.rows }, (_, i) => i) : record.view.orders[order]);
    cursor.point(map, drawn);
    rangeTools.show();
    showCaptions(element, record, map, order);
    redraw();
  }

  // ------------------------------------------------------------------ messages

  /** Show a new text, or the same text with another model or activation. */
  function begin(message) {
    const before = record;
    record = new TextRecord(message);
    record.append(message);
    const sameRun = before && message.run === before.run;
    const stays = sameRun && before.prompt === record.prompt ? Math.min(drawn, record.common(before)) : 0;
    cursor.renew(record.rows, sameRun);
    if (message.divergedAt !== undefined && sameRun) cursor.pinned = message.divergedAt - 1; // where the texts differ
    if (!stays || stays < drawn) {
      cut(stays);
      advance(message.instant - stays); // prompt, default text or scored text: without pacing
    }
    if (text.laddered) text.ladder(record, true);
    options.show(record);
    recolor();
    arrange();
  }

  /** Remove what follows a position. */
  function cut(length) {
    text.cut(length);
    drawn = Math.min(drawn, length);
    drawRate.restart();
    session.shown(drawn);
  }

  /** Truncate at a position and append the data of the message. */
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
    text.append(record, drawn, to, color);
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
    const seconds = drawRate.tick(now);
    if (!record) return;
    const backlog = record.length - drawn;
    if (backlog > 0) {
      if (session.state === "writing") {
        advance(drawRate.due(seconds, backlog, page.settings.speed, drawn <= record.prompt));
      } else {
        advance(backlog);
      }
    } else {
      drawRate.rest();
    }
    if (!dirty || !palette) return;
    dirty = record.length > drawn;
    cursor.point(map, drawn);
    text.mark(position() >= 0 ? position() : null, false);
    redraw();
    if (!dirty || now - shownAt > SETTLE) showDistribution();
    describe();
    rangeTools.offer(drawn);
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
  page.on("writer", showWriter);
  showWriter();
  const options = new HeatmapOptions(element, {
    shown: (name) => session.show(name),
    changed(yes) {
      map.change = yes;
      recolor();
      arrange();
    },
    ordered(by) {
      order = by;
      map.range = null; // the rows show other units now
      arrange();
    },
  });
  const rangeTools = new HeatmapRange(element, map, () => ({ record, drawn, palette }), arrange);
  showInterventions($(".cr-interventions"));
  onConnectionError((words) => notice.show({ kind: "problem", text: words }));

  const showHistory = attachBranching({
    element,
    live: () => ({ record, drawn, cursor: position(), shown: element.offsetParent !== null }),
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
    recolor();
    redraw();
  });

  // Exposed to keyboard shortcuts, measurements and tests.
  page.live = {
    get shown() { return element.offsetParent !== null; },
    get record() { return record; },
    get drawn() { return drawn; },
    get cursor() { return position(); },
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
    showRows: (range) => rangeTools.showRows(range),
  };

  session.onMessage(receive);
  if (session.model) {
    session.preface = session.notice; // sent before this view was set up
    session.show(session.view);
  } else notice.show(session.notice);
  requestAnimationFrame(frame);
  return () => {};
}
