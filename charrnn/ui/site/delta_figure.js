// The figure of Δ bits by class and by context, drawn from groups of characters into an empty figure of Python.

const FEW = 30; // characters, as in figures/surprisal_difference.py
const PALE = 0.3;
const WORDS = ["by kind of character", "by length of context: the position in the text"]; // as in figures/surprisal_difference.py

/**
 * Return the figure with a bar for each group.
 *
 * empty: { figure, row, between }, see surprisal_template.py. panels: groups { name, characters, a, b, delta, margin } of each panel.
 */
export function deltaFigure({ figure, row, between }, panels) {
  const filled = structuredClone(figure);
  const { layout } = filled;
  const groups = panels.flat();
  const ends = groups.flatMap(({ delta, margin }) => [delta - (margin ?? 0), delta + (margin ?? 0)]);
  const [low, high] = [Math.min(0, ...ends), Math.max(0, ...ends)];
  const room = 0.04 * (high - low) || 0.1;
  const inner = row * groups.length + between * (panels.length - 1);
  const annotations = [];
  let top = 1;
  panels.forEach((panel, i) => {
    const number = i ? String(i + 1) : "";
    const bottom = top - (row * panel.length) / inner;
    const bars = filled.data[i];
    const [negative, positive] = bars.marker.color;
    Object.assign(bars, { x: panel.map(({ delta }) => delta), y: [...panel.keys()] });
    bars.marker.color = panel.map(({ delta }) => (delta > 0 ? positive : negative));
    bars.marker.opacity = panel.map(({ characters }) => (characters < FEW ? PALE : 1));
    bars.error_x.array = panel.map(({ margin }) => margin ?? 0);
    bars.customdata = panel.map(({ name, characters, a, b }) => [name, characters, a, b]);
    layout["xaxis" + number].range = [low - room, high + room];
    Object.assign(layout["yaxis" + number], { range: [panel.length - 0.6, -0.6], domain: [Math.max(0, bottom), top] });
    const [label, , title] = layout.annotations.slice(3 * i);
    annotations.push(...panel.map((group, y) => ({ ...label, y, text: `<b>${group.name}</b> ${signed(group.delta)} · ${count(group)}` })));
    annotations.push({ ...title, y: top });
    top = bottom - between / inner;
  });
  Object.assign(layout, { annotations, height: inner + layout.margin.t + layout.margin.b });
  return filled;
}

/** Describe each panel in a sentence. */
export function describeDelta(panels) {
  const named = (groups) => groups.map((group) => `${group.name} ${signed(group.delta)} (${count(group)})`).join("; ");
  return panels.map((groups, i) => `Δ bits ${WORDS[i]}: ${named(groups)}.`).join(" ");
}

const count = ({ characters }) => {
  const counted = characters === 1 ? "1 character" : `${characters.toLocaleString("en")} characters`;
  return characters < FEW ? counted + ", too few" : counted;
};

/** Format a number with a typographic sign; no sign if it rounds to 0. */
export function signed(number, digits = 3) {
  const size = Math.abs(number).toFixed(digits);
  return Number(size) === 0 ? size : (number < 0 ? "−" : "+") + size;
}
