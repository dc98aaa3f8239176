import assert from "node:assert/strict";
import { test } from "node:test";
import "./browser_globals.mjs";

const { splitAround } = await import("../../charrnn/ui/components/code_points.js");
const { TextRecord } = await import("../../charrnn/ui/components/text_record.js");
const { csv, fileName } = await import("../../charrnn/ui/write/heatmap_export.js");

test("a text record counts code points", () => {
  const view = { name: "c", rows: 2, low: -4, high: 4, change: 8, bounded: false, orders: {} };
  const record = new TextRecord({ run: 1, model: { characters: "a😀b" }, view, prompt: 0, startLogits: [0, 0, 0], startDraw: null });
  record.append({ from: 0, text: "😀b", columns: [0, -0.0625, 1, -3.14], logits: [0, 1, 2, 3, 4, 5], draws: [0.5, null] });
  assert.deepEqual([record.vocabulary, record.characters], [["a", "😀", "b"], ["😀", "b"]]);
  assert.deepEqual([0, 1].map((i) => [...record.logitsAfter(i)]), [[0, 1, 2], [3, 4, 5]]);
});

test("texts are cut by code points", () => {
  const characters = ["a", "😀", "e", "\u0301", "👩", "\u200d", "👧", "\n", "😀", "b"];
  characters.forEach((character, i) => {
    assert.deepEqual(splitAround(characters.join(""), i), [characters.slice(0, i).join(""), character, characters.slice(i + 1).join("")]);
  });
});

test("no cell of a table begins like a formula, and every special character is quoted", () => {
  const cells = { "=": "'=", "+": "'+", "-": "'-", "@": "'@", "\t": "'\t", "\r": "\"'\r\"", "\n": '"\n"', '"': '""""', ",": '","', "'": "'", " ": " ", é: "é", 0: "0" };
  const characters = Object.keys(cells);
  const record = { characters, view: { name: "layer 6" }, value: (i, unit) => (unit - i) / 4 };
  const lines = characters.map((character, i) => `${i + 1},${cells[character]},${(2 - i) / 4},${-i / 4}\r\n`);
  const head = "position,character,dimension 2,dimension 0\r\n";
  assert.equal(csv(record, { from: 0, to: characters.length, rows: [2, 0], change: false }), head + lines.join(""));
});

test("file names have no separators", () => {
  const shown = { model: { name: "../some one/lab=1", step: 300 }, view: { name: "layer 6" } };
  assert.equal(fileName(shown, { change: true, rowsLabel: "" }, "png"), "..-some-one-lab-1_delta-layer-6_step-300.png");
  assert.equal(fileName(shown, { change: false, rowsLabel: "rows 3–8" }, "png"), "..-some-one-lab-1_layer-6_step-300_rows-3-8.png");
});
