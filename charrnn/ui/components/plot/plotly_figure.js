// A Plotly figure in a box. plotly.js is a file of the page and loads with the first figure.

import { channels, css, mix } from "../color_scale.js";
import { edition } from "../edition.js";
import { onTheme } from "../page_state.js";

let loading = null;

/** Load plotly.js once; returns a Promise of it. */
export function loadPlotly() {
  loading ||= (async () => {
    const script = document.createElement("script");
    script.src = await edition.fileUrl("plotly.min.js");
    return new Promise((resolve, reject) => {
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => reject(new Error("the plotting library could not be loaded (no answer): check the connection, then reload the page"));
      document.head.append(script);
    });
  })();
  loading.catch(() => (loading = null)); // the next figure tries again
  return loading;
}

// A color of figures/palette.py: a CSS property, or a mix of two of them in percent.
const COLOR = /^var\((--cr-[\w-]+)\)(?: ([\d.]+)%, var\((--cr-[\w-]+)\))?$/;

/** Copy a part of a figure with its colors resolved. */
function resolveColors(part, style) {
  if (Array.isArray(part)) return part.map((item) => resolveColors(item, style));
  if (part && typeof part === "object") return Object.fromEntries(Object.entries(part).map(([key, item]) => [key, resolveColors(item, style)]));
  const [, first, percent, second] = (typeof part === "string" && COLOR.exec(part)) || [];
  if (!first) return part;
  const value = (name) => style.getPropertyValue(name).trim();
  return second ? css(mix(channels(value(second)), channels(value(first)), percent / 100)) : value(first);
}

const MIN_PITCH = 4.9; // pixels per character; with less room the text is hidden

/** Fit a text along the x axis, one character per unit, to the width of the figure. */
function fitLetters(Plotly, box) {
  const at = box.data.findIndex(({ mode }) => mode === "text");
  if (at < 0) return;
  const { _length: length, range } = box._fullLayout.xaxis;
  const pitch = length / Math.abs(range[1] - range[0]);
  const size = Math.round(Math.min(14, 1.55 * pitch));
  const visible = pitch >= MIN_PITCH;
  const { textfont, visible: isVisible } = box.data[at];
  if (textfont.size !== size || (isVisible ?? true) !== visible) Plotly.restyle(box, { "textfont.size": size, visible }, [at]);
}

/** Keep the lines of a figure whose names, one a line, the box is restricted to; all lines of other figures. */
function restrict(data, { lines = "" }) {
  const named = data.filter(({ name }) => lines.split("\n").includes(name));
  return named.length ? named : data;
}

/**
 * Return a function that draws {figure, words} in this box; `words` is the alternative text, a null figure hides the box.
 *
 * Zoom stays across updates; the colors follow the theme, the size follows the box, the lines its data-lines. onError(message): called if plotly.js
 * cannot be loaded; onClick(point): called with a clicked point of Plotly.
 */
export function createFigure(box, onError, onClick = null) {
  let Plotly = null;
  let shown = null; // {figure, words}

  async function draw() {
    if (!shown) return;
    box.hidden = !shown.figure;
    if (!shown.figure) return;
    box.setAttribute("aria-label", shown.words);
    Plotly ||= await loadPlotly();
    if (!shown.figure) return; // it was replaced meanwhile
    const figure = resolveColors(shown.figure, getComputedStyle(document.body));
    const { height, ...own } = figure.layout;
    if (height) box.style.setProperty("--cr-height", height + "px");
    else box.style.removeProperty("--cr-height");
    const layout = { uirevision: "keep", ...own, autosize: true };
    const isFirst = !box.data;
    await Plotly.react(box, restrict(figure.data, box.dataset), layout, { displayModeBar: false, responsive: false, displaylogo: false });
    if (isFirst && onClick) box.on("plotly_click", ({ points }) => onClick(points[0]));
    fit();
  }

  function fit() {
    if (!Plotly || !box.clientWidth || !box.data) return;
    Plotly.Plots.resize(box);
    fitLetters(Plotly, box);
  }

  const redraw = () => draw().catch((error) => onError(error.message));
  new ResizeObserver(fit).observe(box.parentElement);
  new MutationObserver(redraw).observe(box, { attributes: true, attributeFilter: ["data-lines"] });
  onTheme(redraw);
  return (figure) => {
    shown = figure;
    redraw();
  };
}
