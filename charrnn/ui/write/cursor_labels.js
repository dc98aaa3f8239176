// Descriptions of the cursor, for the line below the heatmap and for screen readers.

import { quoted } from "../components/page_state.js";
import { capital, formatValue, heatmapTitle, rowNoun } from "./heatmap_captions.js";
import { nameOf } from "./heatmap_row_names.js";

/** Return the name of a row: "unit 42". */
export const unitName = (record, unit) => rowNoun(record.view.name) + " " + unit;

/** Return the name of the characters that no network wrote. */
export const givenPart = (record) => (record.isRead ? "the text you gave" : "the prompt");

/** Say why a given character cannot be replaced. */
export function describeGiven(record) {
  const where = `That letter belongs to ${givenPart(record)}.`;
  return record.length > record.prompt ? `${where} Choose a letter after it to branch.` : where;
}

/** Describe the drawn character at position i, and the value of a row if given. */
export function describeCursor(record, i, unit, drawn) {
  if (!record || i < 0) return "";
  const place = "character " + (i + 1) + " of " + drawn;
  if (unit === null) return quoted(record.characters[i]) + ", " + place;
  const { view } = record;
  const [value, change] = [formatValue(record.value(i, unit), view, view.low < 0), formatValue(record.change(i, unit), view, true)];
  const name = capital(unitName(record, unit)) + nameOf(record, unit);
  return name + " after " + quoted(record.characters[i]) + ": " + value + " (changed by " + change + ") · " + place;
}

/** Describe the heatmap with the cursor's description and the top candidates, for screen readers. */
export function describeHeatmap(record, cursorText, change, latest) {
  const candidates = latest
    ? latest.order.slice(0, 3).map((id, rank) => quoted(record.vocabulary[id]) + " " + (100 * latest.probs[rank]).toFixed(0) + "%")
    : [];
  return (record ? heatmapTitle(record.view, change) + ". " : "") + cursorText + (candidates.length ? ". Likely next: " + candidates.join(", ") : "");
}
