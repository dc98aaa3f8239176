// A lecture scene: the question, then the answer with its settings of the page.

import { create } from "../components/create_element.js";
import { cutAt } from "../components/code_points.js";
import { navigate } from "../components/navigate.js";
import { fill, page } from "../components/page_state.js";
import { applySettings } from "../sidebar/apply_link.js";

/** Set up the panel; returns a function that takes the server's scenes and answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const hiding = create("style");
  document.head.append(hiding);
  const texts = create("div", "cr-scene-texts"); // above the part of the page that the scene is about
  let lecture = false;
  let at = 0; // number of the current scene, from 1
  let last = 0;

  function show(scene) {
    at = scene.at;
    page.scene = lecture ? at : 0;
    last = scene.titles.length;
    $(".cr-scene").hidden = !lecture;
    $(".cr-scene").classList.toggle("cr-begun", at > 0);
    $("h2").textContent = scene.title || "Lecture";
    $(".cr-scene-place").textContent = at ? `scene ${at} of ${last}` : `${last} scenes`;
    $(".cr-question").textContent = scene.question || "";
    $(".cr-look").textContent = scene.look ? "Look at: " + lowered(scene.look) : "";
    $(".cr-scene-back").disabled = at < 2;
    $(".cr-scene-on").disabled = at >= last;
    $(".cr-answer").textContent = scene.answer?.words || "";
    $(".cr-scene-ways").replaceChildren(...(scene.answer?.shown.ways || []).map(actionButton));
    texts.replaceChildren(...(scene.answer?.texts || []).map(figure));
    const picture = document.querySelector(scene.part || ".cr-live") || document.querySelector(".cr-live");
    texts.childElementCount ? picture.before(texts) : texts.remove();
    $(".cr-reveal").hidden = !at || !!scene.answer;
    $(".cr-reveal").disabled = false;
  }

  function step(by) {
    const to = at + by;
    if (!lecture || to < 1 || to > last) return;
    page.emit("color-by-unit", null);
    apply({ clamp: null });
    page.requestedScene = to;
    send("scene", { scene: to });
  }

  function reveal() {
    const button = $(".cr-reveal");
    if (!lecture || button.hidden || button.disabled) return;
    button.disabled = true;
    $(".cr-answer").textContent = "Measuring …";
    send("reveal", { scene: at });
  }

  $(".cr-scene-back").addEventListener("click", () => step(-1));
  $(".cr-scene-on").addEventListener("click", () => step(1));
  $(".cr-reveal").addEventListener("click", reveal);
  page.on("scene-moved", step);
  page.on("scene-revealed", reveal);

  return (value) => {
    const scene = JSON.parse(value);
    if (scene.lecture !== undefined) {
      lecture = scene.lecture;
      hiding.textContent = scene.hide.map((selector) => `.gradio-container ${selector} { display: none !important; }`).join("\n");
    }
    if (scene.answer ? scene.at !== at : page.requestedScene && scene.at !== page.requestedScene) return; // of a scene that was left
    const isNew = scene.at !== at;
    show(scene);
    if (scene.answer) apply(scene.answer.shown);
    if (scene.part) navigate({ part: scene.answer && texts.isConnected ? ".cr-scene-texts" : scene.part });
    else if (isNew && scene.at) window.scrollTo({ top: 0 });
  };
}

/** Apply the settings of an answer to the page. */
function apply({ unit, position, ...settings }) {
  if (unit !== undefined) page.emit("color-by-unit", { unit, position });
  applySettings(settings);
}

/** Create a button that applies further settings and scrolls to a part. */
function actionButton({ title, part, ...more }) {
  const onclick = () => {
    apply(more);
    navigate({ part });
  };
  return create("button", { type: "button", onclick }, title);
}

/** Create the figure of a text, marked from its first difference on. */
export function figure([title, text, divergence]) {
  const written = create("div", { tabIndex: 0, role: "group", ariaLabel: title, dir: "auto" }); // it scrolls
  const [before, ...rest] = cutAt(text, divergence);
  fill(written, before).append(fill(create("b"), rest.join("")));
  return create("figure", {}, create("figcaption", {}, title), written);
}

const lowered = (sentence) => sentence[0].toLowerCase() + sentence.slice(1);
