// A Plotly figure in a box. plotly.js is served locally and loads with the first figure.

import { channels, css, mix } from "../color_scale.js";
import { onTheme } from "../page_state.js";

let loading = null;

function plotly() {
  loading ||= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("charrnn/plotly.min.js", document.baseURI).href;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("the plotting library could not be loaded; reload the page"));
    document.head.append(script);
  });
  return loading;
}

// A color of figures/palette.py: a CSS property, or a mix of two of them in percent.
const COLOUR = /^var\((--cr-[\w-]+)\)(?: ([\d.]+)%, var\((--cr-[\w-]+)\))?$/;

/** Copy a part of a figure with its colors resolved. */
function coloured(part, style) {
  if (Array.isArray(part)) return part.map((each) => coloured(each, style));
  if (part && typeof part === "object") return Object.fromEntries(Object.entries(part).map(([key, each]) => [key, coloured(each, style)]));
  const [, one, share, other] = (typeof part === "string" && COLOUR.exec(part)) || [];
  if (!one) return part;
  const value = (name) => style.getPropertyValue(name).trim();
  return other ? css(mix(channels(value(other)), channels(value(one)), share / 100)) : value(one);
}

/**
 * Returns a function that takes {figure, words}. Zoom is kept; colors follow the page, the size its box.
 * `picked` is called with a clicked point of Plotly.
 */
export function createFigure(box, failed, picked = null) {
  let Plotly = null;
  let sent = null;

  async function draw() {
    if (!sent) return;
    box.hidden = !sent.figure;
    if (!sent.figure) return;
    box.setAttribute("aria-label", sent.words);
    Plotly ||= await plotly();
    const figure = coloured(sent.figure, getComputedStyle(document.body));
    if (figure.layout.height) box.style.setProperty("--cr-height", figure.layout.height + "px");
    else box.style.removeProperty("--cr-height");
    const layout = { uirevision: "keep", ...figure.layout, autosize: true };
    const first = !box.data;
    await Plotly.react(box, figure.data, layout, { displayModeBar: false, responsive: false, displaylogo: false });
    if (first && picked) box.on("plotly_click", ({ points }) => picked(points[0]));
    fit();
  }

  function fit() {
    if (Plotly && box.clientWidth && box.data) Plotly.Plots.resize(box);
  }

  const attempt = () => draw().catch((error) => failed(error.message));
  new ResizeObserver(fit).observe(box.parentElement);
  onTheme(attempt);
  return (figure) => {
    sent = figure;
    attempt();
  };
}
