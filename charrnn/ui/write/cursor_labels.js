// What stands at the cursor, in words: for the line under the heatmap, and for who does not see the picture.

import { quoted } from "../components/page_state.js";
import { number, rowWord, symbol, titleOf } from "./captions.js";

export const unitName = (record, unit) => rowWord(record.view.name) + " " + unit;

/** The character at position i of those drawn, and the value in a row, where there is one. */
export function sentence(record, i, unit, drawn) {
  if (!record || i < 0) return "";
  const place = "character " + (i + 1) + " of " + drawn;
  if (unit === null) return quoted(record.characters[i]) + ", " + place;
  const [view, name] = [record.view, symbol(record.view.name)];
  const value = name + " = " + number(record.value(i, unit), view, view.low < 0);
  const change = "Δ" + name + " = " + number(record.change(i, unit), view, true);
  return unitName(record, unit) + " at " + quoted(record.characters[i]) + ": " + value + ", " + change + " · " + place;
}

/** The same after what the picture shows, with the likeliest next characters: its name for a screen reader. */
export function pictureName(record, words, change, latest) {
  const likely = latest
    ? latest.order.slice(0, 3).map((id, rank) => quoted(record.vocabulary[id]) + " " + (100 * latest.probs[rank]).toFixed(0) + "%")
    : [];
  return (record ? titleOf(record.view, change) + ". " : "") + words + (likely.length ? ". Likely next: " + likely.join(", ") : "");
}
