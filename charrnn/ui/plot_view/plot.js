// One Plotly view for every figure. Plotly comes from the plotly package on this machine, and only when a figure is shown.

import { onTheme, page } from "../page.js";

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

/** Set up the view; returns what takes a figure. */
export function mount({ element }) {
  const box = element.querySelector(".cr-plot");
  const words = element.querySelector(".cr-plot-words");
  let Plotly = null;
  let sent = null;

  async function draw() {
    if (!sent) return;
    words.textContent = sent.words;
    box.hidden = !sent.light;
    if (!sent.light) return;
    Plotly ||= await plotly();
    const figure = document.body.classList.contains("dark") ? sent.dark : sent.light;
    const layout = { ...figure.layout, uirevision: "keep", autosize: true };
    await Plotly.react(box, figure.data, layout, { displayModeBar: false, responsive: false, displaylogo: false });
    box.setAttribute("aria-label", sent.words);
    fit();
  }

  function fit() {
    if (Plotly && box.clientWidth && box.data) Plotly.Plots.resize(box);
  }

  const measuring = () => (words.textContent = "Measuring …");
  page.on("measuring", measuring);
  element.closest(".cr-gradients").addEventListener("click", (event) => event.target.closest(".cr-button") && measuring());

  const attempt = () => draw().catch((error) => (words.textContent = error.message));
  new ResizeObserver(fit).observe(box.parentElement);
  onTheme(attempt);
  return (value) => {
    sent = JSON.parse(value);
    attempt();
  };
}
