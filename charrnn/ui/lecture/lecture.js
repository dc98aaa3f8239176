// The scene of a lecture: the question first, then the answer on the picture.

import { cutAt } from "../components/code_points.js";
import { navigate } from "../components/navigate.js";
import { fill, page } from "../components/page_state.js";

/** Set up the panel; returns what takes the server's scenes and answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const hiding = document.createElement("style");
  document.head.append(hiding);
  const texts = document.createElement("div"); // beside the panel, above the picture
  texts.className = "cr-scene-texts";
  let lecture = false;
  let at = 0; // the scene that stands there, from 1
  let last = 0;

  function show(told) {
    at = told.at;
    page.scene = lecture ? at : 0;
    last = told.titles.length;
    $(".cr-scene").hidden = !lecture;
    $(".cr-scene").classList.toggle("cr-begun", at > 0);
    $("h2").textContent = told.title || "Lecture";
    $(".cr-scene-place").textContent = at ? `scene ${at} of ${last}` : `${last} scenes`;
    $(".cr-question").textContent = told.question || "";
    $(".cr-look").textContent = told.look ? "Look at: " + lowered(told.look) : "";
    $(".cr-scene-back").disabled = at < 2;
    $(".cr-scene-on").disabled = at >= last;
    $(".cr-answer").textContent = told.answer?.words || "";
    $(".cr-scene-ways").replaceChildren(...(told.answer?.shown.ways || []).map(way));
    texts.replaceChildren(...(told.answer?.texts || []).map(figure));
    const picture = document.querySelector(told.part || ".cr-live") || document.querySelector(".cr-live");
    texts.childElementCount ? picture.before(texts) : texts.remove();
    $(".cr-reveal").hidden = !at || !!told.answer;
    $(".cr-reveal").disabled = false;
  }

  function walk(by) {
    const to = at + by;
    if (!lecture || to < 1 || to > last) return;
    page.emit("color-by-unit", null);
    picture({ clamp: null });
    page.sceneAsked = to;
    send("scene", { scene: to });
  }

  function reveal() {
    const button = $(".cr-reveal");
    if (!lecture || button.hidden || button.disabled) return;
    button.disabled = true;
    $(".cr-answer").textContent = "Measuring …";
    send("reveal", { scene: at });
  }

  $(".cr-scene-back").addEventListener("click", () => walk(-1));
  $(".cr-scene-on").addEventListener("click", () => walk(1));
  $(".cr-reveal").addEventListener("click", reveal);
  page.on("scene-moved", walk);
  page.on("scene-revealed", reveal);

  return (value) => {
    const told = JSON.parse(value);
    if (told.lecture !== undefined) {
      lecture = told.lecture;
      hiding.textContent = told.hide.map((selector) => `.gradio-container ${selector} { display: none !important; }`).join("\n");
    }
    if (told.answer ? told.at !== at : page.sceneAsked && told.at !== page.sceneAsked) return; // the walk has gone on
    const isNew = told.at !== at;
    show(told);
    if (told.answer) picture(told.answer.shown);
    if (told.part) navigate({ part: told.answer && texts.isConnected ? ".cr-scene-texts" : told.part });
    else if (isNew && told.at) window.scrollTo({ top: 0 });
  };
}

/** The answer as the picture shows it. */
function picture({ tick, unit, position, knob, clamp }) {
  if (tick) {
    page.ticked = tick;
    page.emit("selection-changed");
  }
  if (unit !== undefined) page.emit("color-by-unit", { unit, position });
  if (knob !== undefined) {
    page.knob = knob;
    page.emit("recurrent-scale");
  }
  if (clamp !== undefined) {
    page.clamps = clamp?.map(([name, unit, value]) => ({ name, unit, value })) ?? null;
    page.clampsOf = page.checkpoint?.name;
    page.emit("clamps");
  }
}

/** A button that shows more of the answer. */
function way({ title, part, ...more }) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = title;
  button.addEventListener("click", () => {
    picture(more);
    navigate({ part });
  });
  return button;
}

/** One text; what differs from the one on the page is marked. */
export function figure([title, text, parting]) {
  const box = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = title;
  const written = document.createElement("div");
  Object.assign(written, { tabIndex: 0, role: "group", ariaLabel: title, dir: "auto" }); // it scrolls
  const [before, ...rest] = cutAt(text, parting);
  fill(written, before).append(fill(document.createElement("b"), rest.join("")));
  box.append(caption, written);
  return box;
}

const lowered = (sentence) => sentence[0].toLowerCase() + sentence.slice(1);
