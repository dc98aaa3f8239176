// Descriptions of the cursor, for the line below the heatmap and for screen readers.

import { quoted } from "../components/page_state.js";
import { formatValue, rowNoun, symbol, heatmapTitle } from "./captions.js";

/** Return the name of a row: "unit 42". */
export const unitName = (record, unit) => rowNoun(record.view.name) + " " + unit;

/** Describe the drawn character at position i, and the value of a row if given. */
export function describeCursor(record, i, unit, drawn) {
  if (!record || i < 0) return "";
  const place = "character " + (i + 1) + " of " + drawn;
  if (unit === null) return quoted(record.characters[i]) + ", " + place;
  const [view, name] = [record.view, symbol(record.view.name)];
  const value = name + " = " + formatValue(record.value(i, unit), view, view.low < 0);
  const change = "Δ" + name + " = " + formatValue(record.change(i, unit), view, true);
  return unitName(record, unit) + " at " + quoted(record.characters[i]) + ": " + value + ", " + change + " · " + place;
}

/** Describe the heatmap with the cursor's description and the top candidates, for screen readers. */
export function describeHeatmap(record, cursorText, change, latest) {
  const candidates = latest
    ? latest.order.slice(0, 3).map((id, rank) => quoted(record.vocabulary[id]) + " " + (100 * latest.probs[rank]).toFixed(0) + "%")
    : [];
  return (record ? heatmapTitle(record.view, change) + ". " : "") + cursorText + (candidates.length ? ". Likely next: " + candidates.join(", ") : "");
}
