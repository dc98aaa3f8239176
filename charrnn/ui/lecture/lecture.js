// The panel of a lecture: the question of a scene, then its measured answer, shown with its settings of the page.

import { create } from "../components/create_element.js";
import { splitAround } from "../components/code_points.js";
import { navigate } from "../components/navigate.js";
import { fill, page } from "../components/page_state.js";
import { session } from "../session/page_session.js";
import { applySettings } from "../sidebar/apply_link.js";

/** Set up the panel; returns a function that takes the server's scenes and answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const style = create("style"); // hides controls
  document.head.append(style);
  const texts = create("div", "cr-scene-texts"); // above the part of the page that the scene is about
  let isLecture = false;
  let current = 0; // number of the scene, from 1; 0 before the first
  let last = 0;

  function show(scene) {
    current = scene.at;
    page.scene = isLecture ? current : 0;
    last = scene.titles.length;
    $(".cr-scene").hidden = !isLecture;
    $(".cr-scene").classList.toggle("cr-begun", current > 0);
    $("h2").textContent = scene.title || "Lecture";
    $(".cr-scene-place").textContent = current ? `scene ${current} of ${last}` : `${last} scenes`;
    $(".cr-question").textContent = scene.question || "";
    $(".cr-look").textContent = scene.look ? "Look at: " + lowered(scene.look) : "";
    $(".cr-scene-back").disabled = current < 2;
    $(".cr-scene-on").disabled = current >= last;
    $(".cr-answer").textContent = scene.answer?.words || "";
    $(".cr-scene-ways").replaceChildren(...(scene.answer?.shown.ways || []).map(actionButton));
    texts.replaceChildren(...(scene.answer?.texts || []).map(figure));
    const part = document.querySelector(scene.part || ".cr-live") || document.querySelector(".cr-live");
    if (texts.childElementCount) part.before(texts);
    else texts.remove();
    $(".cr-reveal").hidden = !current || !!scene.answer;
    $(".cr-reveal").disabled = false;
  }

  function step(by) {
    const target = current + by;
    if (!isLecture || target < 1 || target > last) return;
    page.emit("color-by-unit", null);
    apply({ clamp: null });
    page.requestedScene = target;
    send("scene", { scene: target });
  }

  function reveal() {
    const button = $(".cr-reveal");
    if (!isLecture || button.hidden || button.disabled) return;
    button.disabled = true;
    $(".cr-answer").textContent = "Measuring …";
    send("reveal", { scene: current });
  }

  $(".cr-scene-back").addEventListener("click", () => step(-1));
  $(".cr-scene-on").addEventListener("click", () => step(1));
  $(".cr-reveal").addEventListener("click", reveal);
  page.on("scene-moved", step);
  page.on("scene-revealed", reveal);

  return (value) => {
    const scene = JSON.parse(value);
    if (scene.lecture !== undefined) {
      isLecture = scene.lecture;
      style.textContent = scene.hide.map((selector) => `.gradio-container ${selector} { display: none !important; }`).join("\n");
    }
    if (scene.answer ? scene.at !== current : page.requestedScene && scene.at !== page.requestedScene) return; // the lecture has moved on
    const isNew = scene.at !== current;
    show(scene);
    if (scene.answer) apply(scene.answer.shown);
    if (scene.part) navigate({ part: scene.answer && texts.isConnected ? ".cr-scene-texts" : scene.part });
    else if (isNew && scene.at) window.scrollTo({ top: 0 });
  };
}

/** Apply the settings of an answer to the page. */
function apply({ unit, position, ...settings }) {
  if (unit !== undefined) whenShown(position, session.text.run, () => page.emit("color-by-unit", { unit, position }));
  applySettings(settings);
}

/** Act when the text of this number is shown up to a position; never if another text begins before. */
function whenShown(position, run, act) {
  if (session.text.run !== run || session.state === "empty") return;
  const { record, drawn } = page.live ?? {};
  if (record?.run === run && drawn > position) act();
  else requestAnimationFrame(() => whenShown(position, run, act));
}

/** Create a button that applies settings and scrolls to a part of the page. */
function actionButton({ title, part, ...settings }) {
  const onclick = () => {
    apply(settings);
    navigate({ part });
  };
  return create("button", { type: "button", onclick }, title);
}

/** Create the figure of a text, marked from its first difference on. */
export function figure([title, text, divergence]) {
  const box = create("div", { tabIndex: 0, role: "group", ariaLabel: title, dir: "auto" }); // focusable, since it scrolls
  const [before, ...rest] = splitAround(text, divergence);
  fill(box, before).append(fill(create("b"), rest.join("")));
  return create("figure", {}, create("figcaption", {}, title), box);
}

const lowered = (sentence) => sentence[0].toLowerCase() + sentence.slice(1);
