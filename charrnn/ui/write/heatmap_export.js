// Export of the visible part of the heatmap as an image with axes, or as a CSV table.

import { create } from "../components/create_element.js";
import { visibleLetter } from "../components/page_state.js";
import { endsOf, rowNoun, titleOf } from "./captions.js";
import { css } from "../components/color_scale.js";

/** Sizes in the picture, before SHARP: around the cells, of a column, of the rows, and between two of their numbers. */
export const SHARP = 2;
export const FRAME = { left: 52, top: 56, right: 16, bottom: 58, narrowest: 640 };
export const COLUMN = 12;
const ROWS = { together: 720, least: 3, most: 16 };
const BETWEEN = 11;

const FORMULA = /^[=+\-@\t\r]/; // a spreadsheet would evaluate it
const SPECIAL = /[",\r\n]/;

export const rowHeightFor = (rows) => Math.max(ROWS.least, Math.min(ROWS.most, Math.round(ROWS.together / rows)));

/** Visible part of the heatmap: positions from … to, units of the rows, and row indices. */
export function visibleRange(map, length) {
  const from = map.leftmost(length);
  const some = map.range ? " · rows " + (map.range.first + 1) + "–" + (map.range.last + 1) + " of " + map.order.length : "";
  return { from, to: Math.min(length, from + map.columns), rows: map.rows, some, change: map.change };
}

/** Escape a character for spreadsheets: an apostrophe before a formula. */
function textCell(text) {
  const safe = FORMULA.test(text) ? "'" + text : text;
  return SPECIAL.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe;
}

/** A line per character: position from 1, character, and the value of every visible unit. */
export function csv(record, { from, to, rows, change }) {
  const word = rowNoun(record.view.name);
  const lines = [["position", "character", ...rows.map((unit) => word + " " + unit)]];
  for (let i = from; i < to; i++) {
    const values = rows.map((unit) => (change ? record.change(i, unit) : record.value(i, unit)));
    lines.push([i + 1, textCell(record.characters[i]), ...values]);
  }
  return lines.map((cells) => cells.join(",") + "\r\n").join("");
}

/** Model, view and step, in characters allowed by every file system. */
export function fileName({ model, view }, map, type) {
  const part = map.range ? ["rows", map.range.first + 1, map.range.last + 1].join("-") : "";
  const what = (map.change ? "delta-" : "") + view.name;
  const words = [model.name, what, "step-" + model.step, part].filter(Boolean);
  return words.map((word) => word.replaceAll(/[^\p{L}\p{N}.-]+/gu, "-")).join("_") + "." + type;
}

/** Draw the visible cells with title, scale, unit numbers, characters and positions. */
export function picture(record, shown, palette, length, fonts) {
  const { from, to, rows, change } = shown;
  const { view, model } = record;
  const tall = rowHeightFor(rows.length);
  const [wide, high] = [(to - from) * COLUMN, rows.length * tall];
  const width = Math.max(FRAME.narrowest, FRAME.left + wide + FRAME.right);
  const canvas = document.createElement("canvas");
  canvas.width = SHARP * width;
  canvas.height = SHARP * (FRAME.top + high + FRAME.bottom);
  const pen = canvas.getContext("2d", { alpha: false });
  pen.scale(SHARP, SHARP);
  pen.fillStyle = css(palette.paper);
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.textBaseline = "middle";
  const write = (words, x, y, align, color, font) => {
    [pen.textAlign, pen.fillStyle, pen.font] = [align, css(color), font];
    pen.fillText(words, x, y);
  };
  const [small, mono] = ["11px " + fonts.sans, "10px " + fonts.mono];

  write(titleOf(view, change), FRAME.left, 16, "left", palette.ink, "bold 14px " + fonts.sans);
  write(model.title + ", step " + model.step + " · " + model.sha256.slice(0, 7) + shown.some, FRAME.left, 36, "left", palette.quiet, small);
  scale(pen, { ends: endsOf(view, change), palette, right: width - FRAME.right, from: change || view.low < 0 ? 0 : 127 }, write, mono);

  for (let i = from; i < to; i++) {
    rows.forEach((unit, row) => {
      pen.fillStyle = palette.cells[record.level(i, unit, change) + 127];
      pen.fillRect(FRAME.left + (i - from) * COLUMN, FRAME.top + row * tall, COLUMN, tall);
    });
  }
  write(rowNoun(view.name), FRAME.left - 6, FRAME.top - 8, "right", palette.quiet, mono);
  const each = Math.ceil(BETWEEN / tall);
  for (let row = 0; row < rows.length; row += each) {
    write(rows[row], FRAME.left - 6, FRAME.top + (row + 0.5) * tall, "right", palette.ink, mono);
  }
  for (let i = from; i < to; i++) {
    const x = FRAME.left + (i - from + 0.5) * COLUMN;
    const character = record.characters[i];
    write(character === " " ? "·" : visibleLetter(character), x, FRAME.top + high + 10, "center", palette.ink, mono);
    if ((i + 1) % 10 === 0) write(i + 1, x, FRAME.top + high + 25, "center", palette.quiet, mono);
  }
  const range = "characters " + (from + 1) + "–" + to + " of " + length;
  write(range, FRAME.left, FRAME.top + high + 44, "left", palette.quiet, small);
  return canvas;
}

/** Draw the color scale from level `from` up, with its end values, right-aligned. */
function scale(pen, { ends: [least, most], palette, right, from }, write, font) {
  write(most, right, 16, "right", palette.ink, font);
  const [end, wide] = [right - pen.measureText(most).width - 6, 120];
  for (let x = 0; x < wide; x++) {
    pen.fillStyle = palette.cells[Math.round(from + ((254 - from) * x) / (wide - 1))];
    pen.fillRect(end - wide + x, 11, 1, 10);
  }
  pen.strokeStyle = css(palette.quiet);
  pen.strokeRect(end - wide - 0.5, 10.5, wide + 1, 11);
  write(least, end - wide - 6, 16, "right", palette.ink, font);
}

/** Download the blob under this name. */
export function save(blob, name) {
  const link = create("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // the browser reads it after the click
}
