// Descriptions of the cursor: for the line below the heatmap, and for screen readers.

import { quoted } from "../components/page_state.js";
import { number, rowNoun, symbol, titleOf } from "./captions.js";

export const unitName = (record, unit) => rowNoun(record.view.name) + " " + unit;

/** Describe the drawn character at position i, and the value of a row if given. */
export function sentence(record, i, unit, drawn) {
  if (!record || i < 0) return "";
  const place = "character " + (i + 1) + " of " + drawn;
  if (unit === null) return quoted(record.characters[i]) + ", " + place;
  const [view, name] = [record.view, symbol(record.view.name)];
  const value = name + " = " + number(record.value(i, unit), view, view.low < 0);
  const change = "Δ" + name + " = " + number(record.change(i, unit), view, true);
  return unitName(record, unit) + " at " + quoted(record.characters[i]) + ": " + value + ", " + change + " · " + place;
}

/** Describe the picture with its top candidates, for screen readers. */
export function pictureName(record, words, change, latest) {
  const likely = latest
    ? latest.order.slice(0, 3).map((id, rank) => quoted(record.vocabulary[id]) + " " + (100 * latest.probs[rank]).toFixed(0) + "%")
    : [];
  return (record ? titleOf(record.view, change) + ". " : "") + words + (likely.length ? ". Likely next: " + likely.join(", ") : "");
}
