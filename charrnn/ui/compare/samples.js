// Samples of A at each saved training step, from the same random draws: a slider over the steps, which plays.

import { createViewQuery } from "../components/view_query.js";
import { titleOf } from "../components/offered_models.js";
import { fill, page } from "../components/page_state.js";
import { showSlider } from "../components/slider.js";

const STEP_MS = 1200; // between two steps

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const [box, button, slider] = [$(".cr-learn"), $("button"), $("input")];
  let queried = ""; // name of the model
  let samples = [];
  let timer = null;

  const request = () => page.compared && { form: { model: page.compared.A.name } };
  const view = createViewQuery({ element, send, request, show, onAsk: reset });

  function reset() {
    const { name } = page.compared.A;
    queried = name;
    $("h2").textContent = `Watch A learn: ${titleOf({ name, step: page.models.find((model) => model.name === name).steps.at(-1) })}`;
    pause();
    slider.value = 0;
  }

  function draw() {
    const { step, loss, text } = samples[slider.value];
    showSlider(slider, [step.toLocaleString("en"), loss].filter(Boolean).join(" · "));
    fill($(".cr-learn-text"), text);
  }

  function show({ samples: found = [] }) {
    samples = found;
    slider.max = samples.length - 1;
    box.hidden = samples.length < 2;
    if (samples.length) draw();
  }

  function pause() {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  }

  function advance() {
    slider.value = Number(slider.value) + 1;
    draw();
    if (slider.value === slider.max) pause();
  }

  function play() {
    if (slider.value === slider.max) slider.value = 0;
    draw();
    button.textContent = "Pause";
    timer = setInterval(advance, STEP_MS);
  }

  button.addEventListener("click", () => (timer ? pause() : play()));
  slider.addEventListener("input", () => {
    pause();
    draw();
  });
  page.on("pair-changed", () => page.compared?.A.name !== queried && view.ask());
  return view.receive;
}
