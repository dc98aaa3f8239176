// Exports the visible part of a picture as an image with axes, or as a CSV table.

import { create } from "../components/create_element.js";
import { visibleLetter } from "../components/page_state.js";
import { heatmapTitle, pictureEnds, rowNoun } from "./heatmap_captions.js";
import { css } from "../components/color_scale.js";

export const PIXEL_RATIO = 2; // of the image; the sizes below are multiplied by it
export const MARGIN = { left: 52, top: 56, right: 16, bottom: 58 }; // around the cells
export const COLUMN_WIDTH = 12;
const MIN_WIDTH = 640;
const HEIGHT = 720; // preferred height of all rows
const [MIN_ROW_HEIGHT, MAX_ROW_HEIGHT] = [3, 16];
const LABEL_HEIGHT = 11; // minimum distance of two row numbers

const FORMULA = /^[=+\-@\t\r]/; // spreadsheets evaluate it
const SPECIAL = /[",\r\n]/;

/** Return the height of a row in an image with this many rows. */
export const rowHeightFor = (rows) => Math.max(MIN_ROW_HEIGHT, Math.min(MAX_ROW_HEIGHT, Math.round(HEIGHT / rows)));

/** Return the visible part of a picture: positions from … to, the units of the rows, their labels, and a title suffix for some rows. */
export function visibleRange(map, length) {
  const from = map.visible.leftmost(length);
  const suffix = map.rowsLabel && " · " + map.rowsLabel;
  return { from, to: Math.min(length, from + map.columns), rows: map.rows, labels: map.labels ?? map.rows, suffix, change: map.change };
}

/** Quote a text for CSV; an apostrophe keeps spreadsheets from evaluating a formula. */
function textCell(text) {
  const safe = FORMULA.test(text) ? "'" + text : text;
  return SPECIAL.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe;
}

/** Format a line per character: position from 1, character, and the value of every visible unit. */
export function csv(record, { from, to, rows, change }) {
  const noun = rowNoun(record.view.name);
  const lines = [["position", "character", ...rows.map((unit) => noun + " " + unit)]];
  for (let i = from; i < to; i++) {
    const values = rows.map((unit) => (change ? record.change(i, unit) : record.value(i, unit)));
    lines.push([i + 1, textCell(record.characters[i]), ...values]);
  }
  return lines.map((cells) => cells.join(",") + "\r\n").join("");
}

/** Name a file by model, view and step, in characters allowed by every file system. */
export function fileName({ model, view }, map, type) {
  const parts = [model.name, (map.change ? "delta-" : "") + view.name, "step-" + model.step, map.rowsLabel].filter(Boolean);
  return parts.map((part) => part.replaceAll(/[^\p{L}\p{N}.-]+/gu, "-")).join("_") + "." + type;
}

/** Draw the visible cells with title, scale, unit numbers, characters and positions. */
export function drawImage(record, picture, { from, to, rows, labels, suffix, change }, palette, length, fonts) {
  const { view, model } = record;
  const [small, mono] = ["11px " + fonts.sans, "10px " + fonts.mono];
  const rowHeight = rowHeightFor(rows.length);
  const bottom = MARGIN.top + rows.length * rowHeight; // of the cells
  const canvas = document.createElement("canvas");
  const left = Math.max(MARGIN.left, 12 + longest(canvas, labels, mono));
  const width = Math.max(MIN_WIDTH, left + (to - from) * COLUMN_WIDTH + MARGIN.right);
  canvas.width = PIXEL_RATIO * width;
  canvas.height = PIXEL_RATIO * (bottom + MARGIN.bottom);
  const pen = canvas.getContext("2d", { alpha: false });
  pen.scale(PIXEL_RATIO, PIXEL_RATIO);
  pen.fillStyle = css(palette.paper);
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.textBaseline = "middle";
  const write = (words, x, y, align, color, font) => {
    [pen.textAlign, pen.fillStyle, pen.font] = [align, css(color), font];
    pen.fillText(words, x, y);
  };

  write(heatmapTitle(view, change), left, 16, "left", palette.ink, "bold 14px " + fonts.sans);
  write(model.title + ", step " + model.step + " · " + model.sha256.slice(0, 7) + suffix, left, 36, "left", palette.quiet, small);
  drawScale(pen, { ends: pictureEnds(view, picture), palette, right: width - MARGIN.right, from: change || view.low < 0 ? 0 : 127 }, write, mono);

  for (let i = from; i < to; i++) {
    rows.forEach((unit, row) => {
      pen.fillStyle = palette.cells[picture.level(record, i, unit) + 127];
      pen.fillRect(left + (i - from) * COLUMN_WIDTH, MARGIN.top + row * rowHeight, COLUMN_WIDTH, rowHeight);
    });
  }
  write(rowNoun(view.name), left - 6, MARGIN.top - 8, "right", palette.quiet, mono);
  for (let row = 0; row < rows.length; row += Math.ceil(LABEL_HEIGHT / rowHeight)) {
    write(labels[row], left - 6, MARGIN.top + (row + 0.5) * rowHeight, "right", palette.ink, mono);
  }
  for (let i = from; i < to; i++) {
    const x = left + (i - from + 0.5) * COLUMN_WIDTH;
    const character = record.characters[i];
    write(character === " " ? "·" : visibleLetter(character), x, bottom + 10, "center", palette.ink, mono);
    if ((i + 1) % 10 === 0) write(i + 1, x, bottom + 25, "center", palette.quiet, mono);
  }
  const range = "characters " + (from + 1) + "–" + to + " of " + length;
  write(range, left, bottom + 44, "left", palette.quiet, small);
  return canvas;
}

/** Return the width of the longest label in pixels. */
function longest(canvas, labels, font) {
  const pen = canvas.getContext("2d", { alpha: false });
  pen.font = font;
  return Math.max(...labels.map((label) => Math.ceil(pen.measureText(label).width)));
}

/** Draw the color scale from the index `from` of the palette on, with its end values, right-aligned. */
function drawScale(pen, { ends: [low, high], palette, right, from }, write, font) {
  write(high, right, 16, "right", palette.ink, font);
  const [end, length] = [right - pen.measureText(high).width - 6, 120];
  for (let x = 0; x < length; x++) {
    pen.fillStyle = palette.cells[Math.round(from + ((254 - from) * x) / (length - 1))];
    pen.fillRect(end - length + x, 11, 1, 10);
  }
  pen.strokeStyle = css(palette.quiet);
  pen.strokeRect(end - length - 0.5, 10.5, length + 1, 11);
  write(low, end - length - 6, 16, "right", palette.ink, font);
}

/** Download the blob under this name. */
export function download(blob, name) {
  const link = create("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // the browser reads it after the click
}
