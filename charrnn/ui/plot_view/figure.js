// One Plotly figure in a box. Plotly comes from the plotly package on this machine, and only when a figure is shown.

import { inLecture, onTheme } from "../page.js";

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

/**
 * Returns what takes {light, dark, words}: the zoom stays, light and dark follow the page, the size its box.
 * `picked` takes a point that is clicked, as Plotly tells it.
 */
export function figureIn(box, failed, picked = null) {
  let Plotly = null;
  let sent = null;

  async function draw() {
    if (!sent) return;
    box.hidden = !sent.light;
    if (!sent.light) return;
    box.setAttribute("aria-label", sent.words);
    Plotly ||= await plotly();
    const figure = document.body.classList.contains("dark") ? sent.dark : inLecture(sent.light);
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
