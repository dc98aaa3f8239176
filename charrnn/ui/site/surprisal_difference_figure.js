// The figure of Δ bits by class, drawn from groups of characters into an empty figure of Python.

import { counted, signed } from "../components/number_format.js";

const FEW = 30; // characters, as in figures/surprisal_difference.py
const PALE = 0.3;

/**
 * Return the figure with a bar for each group { name, characters, a, b, delta, margin }.
 *
 * empty: { figure, row }, see surprisal_template.py.
 */
export function deltaFigure({ figure, row }, groups) {
  const filled = structuredClone(figure);
  const { layout, data: [bars] } = filled;
  const ends = groups.flatMap(({ delta, margin }) => [delta - (margin ?? 0), delta + (margin ?? 0)]);
  const [low, high] = [Math.min(0, ...ends), Math.max(0, ...ends)];
  const padding = 0.05 * (high - low) || 0.1; // as in figures/axes.py
  const [negative, positive] = bars.marker.color;
  Object.assign(bars, { x: groups.map(({ delta }) => delta), y: [...groups.keys()] });
  bars.marker.color = groups.map(({ delta }) => (delta > 0 ? positive : negative));
  bars.marker.opacity = groups.map(({ characters }) => (characters < FEW ? PALE : 1));
  bars.error_x.array = groups.map(({ margin }) => margin ?? 0);
  bars.customdata = groups.map(({ name, characters, a, b }) => [name, characters, a, b]);
  layout.xaxis.range = [low - padding, high + padding];
  layout.yaxis.range = [groups.length - 0.6, -0.6];
  const [label] = layout.annotations;
  layout.annotations = groups.map((group, y) => ({ ...label, y, text: `<b>${group.name}</b> ${signed(group.delta)} · ${count(group)}` }));
  layout.height = row * groups.length + layout.margin.t + layout.margin.b;
  return filled;
}

/** Describe the bars in a sentence. */
export function describeDelta(groups) {
  return `Δ bits on this text by kind of character: ${groups.map((group) => `${group.name} ${signed(group.delta)} (${count(group)})`).join("; ")}.`;
}

const count = ({ characters }) => counted(characters) + (characters < FEW ? ", too few" : "");
