// The live view: draws the session's messages at the selected speed, with one cursor for text, heatmap and distribution.
// Hovering needs no request: the record contains every activation and logit.

import { setText } from "../components/create_element.js";
import { onTheme, page, spoken } from "../components/page_state.js";
import { showInterventions } from "../session/interventions.js";
import { session } from "../session/page_session.js";
import { attachBranching } from "./branching.js";
import { describeHeatmapPart, showCaptions } from "./heatmap_captions.js";
import { Cursor } from "./cursor.js";
import { describeCursor, describeHeatmap } from "./cursor_labels.js";
import { DistributionView } from "./distribution.js";
import { Pictures } from "./heatmap_pictures.js";
import { sameConcept } from "./heatmap_row_names.js";
import { HeatmapRange } from "./heatmap_row_range.js";
import { describeSurprisal } from "./runners_up.js";
import { DrawRate } from "./draw_rate.js";
import { ColorScale } from "../components/color_scale.js";
import { SurprisingList } from "./surprising_list.js";
import { TextColoring } from "./text_coloring.js";
import { describeOrigin } from "./text_title.js";
import { attachCursor } from "./cursor_input.js";
import { HeatmapOptions } from "./heatmap_options.js";
import { TextRecord } from "../components/text_record.js";
import { TextView } from "./text_view.js";

const EMPTY = "The page is empty. Press Write, or Step for one letter: the network begins after the prompt.";
const DISTRIBUTION_MS = 60; // between two updates of the distribution while the text grows

/** Set up the view. It listens to the session and takes no values from the server. */
export function mount({ element }) {
  const $ = (selector) => element.querySelector(selector);
  const text = new TextView($(".cr-text"));
  const next = new DistributionView($(".cr-distribution"));
  const pictures = new Pictures(element, { onColor: colorBy, changed: arrange });
  const { map } = pictures; // of all units
  const cursor = new Cursor();
  const drawRate = new DrawRate();
  let palette;
  let record = null;
  let drawn = 0; // characters on the page; record.length is the number that has arrived
  let shownAt = 0; // when the distribution was last drawn
  let order = "similarity";
  let dirty = true; // the next frame has something to draw

  // ------------------------------------------------------------------ the cursor

  const position = () => cursor.position(drawn);
  const cursorText = () => describeCursor(record, position(), cursor.row, drawn);

  /** Update the texts that describe the cursor. */
  function describe() {
    $(".cr-values").textContent = cursorText();
    setText($(".cr-text-title"), record ? describeOrigin(record, drawn) : "No text yet");
    $(".cr-surprise").textContent = record ? describeSurprisal(record, position()) : "";
    const description = spoken(describeHeatmap(record, cursorText(), map.change, next.latest));
    for (const { canvas } of pictures.all) canvas.setAttribute("aria-label", description);
  }

  /** Show where the network runs: in the page, or on the server and why. */
  function showRunner() {
    if (!page.runner) return;
    const { engine, reason } = page.runner;
    $(".cr-writer").textContent = engine ? "The network runs in this page." : "The server runs the network" + (reason ? ": " + reason : "") + ".";
  }

  function showDistribution() {
    if (!record) return next.clear();
    if (session.state === "empty") return next.clear(EMPTY);
    next.draw(record, position(), drawn, page.settings);
    shownAt = performance.now();
  }

  function redraw() {
    if (!record) return;
    const units = [cursor.unit, cursor.marked].filter((unit) => unit !== null);
    pictures.draw(record, drawn, palette, { cursor, position: position(), units });
    setText($(".cr-map-title"), describeHeatmapPart(record, pictures, drawn));
  }

  /** Update everything that depends on the cursor. */
  function onMove(scroll = false) {
    if (!record) return;
    text.mark(position(), scroll);
    redraw();
    showDistribution();
    describe();
  }

  // ------------------------------------------------------------------ colors and titles

  const coloring = new TextColoring(element, cursor, () => ({ record, map, spans: text.spans }), showColors);
  const color = (span, i) => coloring.color(span, i);
  const surprising = new SurprisingList($(".cr-most-surprising"), () => ({ record, drawn }), goTo);

  /** Color the whole text and mark the name of the unit. */
  function recolor() {
    coloring.update();
    pictures.names.mark(cursor.unit);
  }

  /** Show the colors in text and heatmap. */
  function showColors() {
    recolor();
    redraw();
    describe();
  }

  /** Color the text by a unit, or remove the colors of this unit. */
  function colorBy(unit) {
    coloring.set(false, unit === cursor.unit ? null : unit);
    showColors();
  }

  function goTo(position) {
    cursor.hovered = null;
    cursor.pin(position, drawn);
    onMove(true);
    announce();
  }

  /** Show the rows in the current order and range. */
  function arrange() {
    if (!record) return;
    pictures.arrange(record, order === "index" ? Array.from({ length: record.rows }, (_, i) => i) : record.view.orders[order]);
    pictures.names.mark(cursor.unit);
    cursor.updateHovered(drawn);
    rangeTools.show();
    showCaptions(element, record, pictures, order);
    redraw();
  }

  // ------------------------------------------------------------------ messages

  /** Show a new text, or the same text with another model or activation. */
  function begin(message) {
    const before = record;
    record = new TextRecord(message);
    record.append(message);
    const sameRun = before && message.run === before.run;
    const common = sameRun && before.prompt === record.prompt ? Math.min(drawn, record.commonPrefix(before)) : 0;
    if (before && before.model.name !== record.model.name) cursor.unit = sameConcept(before, record, cursor.unit);
    cursor.setRecord(record.rows, sameRun);
    if (!sameRun) coloring.startText(record);
    if (message.divergedAt !== undefined && sameRun) cursor.pinned = message.divergedAt - 1; // where the texts differ
    if (!common || common < drawn) {
      cut(common);
      advance(message.instant - common); // prompt, default text or scored text: without pacing
    }
    text.mark(position());
    if (message.divergedAt !== undefined && sameRun) text.showMarked();
    if (text.showsRunnersUp) text.showRunnersUp(record, true);
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
    recolor(); // the scale of a unit is that of the text that is left
    cursor.hovered = null;
  }

  function receive(message) {
    showChange(message);
    if (message.kind === "start" || message.kind === "branch") alternatives.close();
    if (message.kind === "start") begin(message);
    else if (message.kind === "branch") branch(message);
    else if (message.kind === "more") {
      record.append(message);
      if (message.instant) advance(message.instant);
    }
    dirty = true;
  }

  /** Put the next n characters on the page. */
  function advance(n) {
    if (n <= 0) return;
    const end = Math.min(record.length, drawn + n);
    text.append(record, drawn, end, color);
    const hasWritten = end > record.prompt && end > drawn;
    drawn = end;
    dirty = true;
    session.shown(drawn);
    if (hasWritten && page.stats.clickedAt && page.stats.firstCharacterMs === null) {
      page.stats.firstCharacterMs = performance.now() - page.stats.clickedAt;
    }
  }

  /** Draw what is due in this animation frame. */
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
      drawRate.idle();
    }
    if (!dirty || !palette) return;
    dirty = record.length > drawn;
    cursor.updateHovered(drawn);
    text.mark(position());
    redraw();
    if (!dirty || now - shownAt > DISTRIBUTION_MS) showDistribution();
    describe();
    if (!dirty) surprising.update();
    rangeTools.setEnabled(drawn > 0);
    page.stats.frames += 1;
  }

  // ------------------------------------------------------------------ pointer and keys

  const announce = () => {
    const cost = coloring.mode === "surprise" ? ". " + describeSurprisal(record, position()) : "";
    $('.cr-map [role="status"]').textContent = spoken(cursorText() + cost);
  };
  attachCursor({
    text,
    maps: pictures.all,
    part: pictures.part,
    cursor,
    live: () => ({ record, drawn }),
    onMove,
    announce,
    redraw,
    colorBy,
    removeColors() {
      coloring.set(false, null);
      showColors();
    },
  });
  page.on("settings", () => showDistribution());
  page.on("runner-changed", showRunner);
  showRunner();
  const options = new HeatmapOptions(element, {
    onView: (name) => session.show(name),
    onChange(isChange) {
      pictures.change = isChange;
      recolor();
      arrange();
    },
    onOrder(name) {
      order = name;
      map.range = null; // in another order, the rows show other units
      pictures.wantsAll = true; // for a link with an order
      arrange();
    },
  });
  const rangeTools = new HeatmapRange(element, pictures, () => ({ record, drawn, palette }), arrange);
  showInterventions($(".cr-interventions"));

  const { showChange, alternatives } = attachBranching({
    element,
    text,
    live: () => ({ record, drawn, cursor: position(), shown: element.offsetParent !== null }),
    say: (text) => session.say({ kind: "note", text }),
  });
  $(".cr-runners-up").addEventListener("click", () => {
    text.showRunnersUp(record, !text.showsRunnersUp);
    $(".cr-runners-up").setAttribute("aria-pressed", text.showsRunnersUp);
    $(".cr-runners-up-key").hidden = !text.showsRunnersUp;
    onMove(true);
  });

  const sizes = new ResizeObserver(() => {
    pictures.measure();
    if (record) showCaptions(element, record, pictures, order);
    redraw();
  });
  for (const { canvas } of pictures.all) sizes.observe(canvas.parentElement);
  onTheme(() => {
    palette = coloring.palette = new ColorScale(element.querySelector(".cr-live"));
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
    get pictures() { return pictures; },
    get text() { return record ? record.characters.slice(0, drawn).join("") : ""; },
    get received() { return record ? record.length : 0; },
    get saved() { return { pinned: cursor.pinned, unit: cursor.unit, bySurprise: coloring.bySurprise }; },
    get coloring() { return coloring.linked; },
    color(linked) {
      coloring.chooseLinked(linked);
      showColors();
    },
    restore({ pinned, unit, bySurprise }) {
      cursor.pinned = pinned;
      coloring.set(bySurprise, unit !== null && unit < record.rows ? unit : null);
      showColors();
      onMove(true);
    },
    showAlternatives(position) {
      goTo(position);
      alternatives.open(record, position);
    },
    showRows: (range) => rangeTools.showRows(range),
  };

  session.onMessage(receive);
  if (session.model) {
    session.preface = session.notice; // of before this view was set up
    session.show(session.view);
  }
  requestAnimationFrame(frame);
  return () => {};
}
