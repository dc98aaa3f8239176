// A lecture: a list of scenes, the stage on which each of them asks, answers and is varied, and a summary of the answers.

import { create, setText } from "../components/create_element.js";
import { splitAround } from "../components/code_points.js";
import { PLACE, isOfLecture, opensStage, parameters } from "../components/lecture_address.js";
import { navigate, openTab } from "../components/navigate.js";
import { signed } from "../components/number_format.js";
import { fill, page, whenReady } from "../components/page_state.js";
import { session } from "../session/page_session.js";
import { applySettings } from "../sidebar/apply_link.js";
import { createStage } from "./stage.js";

const [QUESTION, ANSWER, VARIATION] = [0, 1, 2]; // the beats of a scene
const NEXT = ["Reveal", "Try it"];
const SUMMARY = "summary"; // in place of a beat in the address
const PATIENCE_MS = 20_000; // without an answer, until the lecture can go on without it
const GO_ON = "R asks again, PageDown goes on.";

/** Set up the panel; returns a function that takes the server's scenes and answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const style = create("style"); // hides controls
  document.head.append(style);
  const show = createStage($(".cr-scene"));
  let isLecture = false;
  let scenes = []; // {question, minutes, missing}; missing: networks without which a scene is skipped
  let scene = { at: 0 };
  let beat = QUESTION;
  let target = QUESTION; // the beat to show once the scene is there
  let isWhole = false; // the whole lab is shown
  let isSummary = false; // the list has the answers
  const answers = new Map(); // by number of the scene
  let loading = ""; // how much the page has loaded, said below the list
  let silence = null; // the timer of an answer

  const picture = () => scene.pictures?.[beat] ?? null;
  const isLast = () => scene.problem || beat === VARIATION || (beat === ANSWER && !scene.answer.varied);

  /** Return the number of the next scene, or with −1 the previous one; 0 is before the first one. */
  function neighbor(number, by) {
    let found = number + by;
    while (scenes[found - 1]?.missing.length) found += by;
    return found;
  }

  /** Show the panel and the picture of the current beat. */
  function draw() {
    const { at, answer } = scene;
    const { sentence = "", number, details = "", texts = [], bars = [], ways = [] } = answer ?? {};
    const hasFocus = $(".cr-scene").contains(document.activeElement);
    page.scene = isLecture ? at : 0;
    $(".cr-scene").hidden = !isLecture;
    const offered = scenes.filter((each) => !each.missing.length);
    const minutes = offered.reduce((sum, each) => sum + each.minutes, 0);
    setText($(".cr-scene-place"), at ? `Scene ${at} of ${scenes.length} · ${scenes[at - 1].minutes} min` : isSummary ? "Summary" : "Lecture");
    setText($("h2"), at ? scene.question : isSummary ? "What was measured" : `${offered.length} scenes, about ${minutes} minutes. PageDown starts.`);
    $(".cr-scene-links").replaceChildren(...(isSummary ? [labLink("The lab", ""), " ", labLink("Its lab sheet, answered", "?tab=lab")] : []));
    setText($(".cr-guess"), at && beat === QUESTION ? scene.guess : "");
    $(".cr-answer").replaceChildren(...[at && scene.problem ? [`${scene.problem} ${GO_ON}`] : scene.isAsked ? ["Measuring …"] : [], emphasized(sentence, number), [create("span", {}, scene.variation), " ", create("span", { className: "cr-way-says" }, ways[0]?.says ?? "")]][beat]);
    $(".cr-scene-details").hidden = beat !== ANSWER || !details;
    setText($(".cr-scene-details p"), details);
    $(".cr-scene-ways").replaceChildren(...(beat === VARIATION ? ways.map(wayButton) : []));
    $(".cr-scenes").replaceChildren(...(at ? [] : scenes.map(sceneItem)));
    setText($(".cr-scene-loading"), at || isSummary ? "" : loading);
    $(".cr-choices").replaceChildren(...(beat === QUESTION ? scene.choices ?? [] : []).map((choice) => create("li", {}, choice)));
    $(".cr-scene-texts").replaceChildren(...(beat === ANSWER ? texts.map(figure) : []));
    $(".cr-scene-shaded").hidden = beat !== ANSWER || !texts.some(([, text, divergence]) => splitAround(text, divergence)[1]);
    $(".cr-scene-bars").hidden = beat !== ANSWER || !bars.length;
    $(".cr-scene-bars tbody").replaceChildren(...barRows(bars));
    $(".cr-scene-back").disabled = !at && !isSummary;
    $(".cr-scene-list").hidden = !at && !isSummary;
    markLab();
    $(".cr-scene-on").disabled = isSummary;
    setText($(".cr-scene-on span"), !at ? (isSummary ? "Next scene" : "Start") : isLast() ? (neighbor(at, 1) > scenes.length ? "Summary" : "Next scene") : NEXT[beat]);
    const { activeElement } = document;
    if (hasFocus && (activeElement === document.body || activeElement.disabled || !activeElement.checkVisibility())) $(isSummary ? ".cr-scene-back" : ".cr-scene-on").focus();
    if (!isLecture || isWhole) return; // an answer that comes later does not move the page
    if (picture()) openTab(picture().tab);
    showPicture([null, answer?.shown.lines, ways[0]?.lines][beat]);
    window.scrollTo({ top: 0 });
  }

  /** Show the picture on the stage, with these lines; null for all. */
  const showPicture = (lines) => show(picture()?.selector ?? "", lines);

  /** Show the whole lab at the picture of the scene. */
  function showLab() {
    show(null);
    const part = picture() ?? scene.pictures?.find((each) => each);
    if (!part) return;
    openTab(part.tab);
    navigate({ part: part.selector.match(/^[\w.#-]+/)[0] }); // the view, or the first element
  }

  /** Show whether the whole lab is shown, and whether a question is open. */
  function markLab() {
    document.body.classList.toggle("cr-asked", isLecture && !isWhole && scene.at > 0 && beat === QUESTION);
    setText($(".cr-scene-lab"), isWhole ? "Back to lecture" : "Whole lab");
  }

  /** Put a scene and its beat, or the summary, into the address. */
  function keepAddress(number, shownBeat) {
    const place = number ? [["scene", number], ["beat", shownBeat + 1]].slice(0, 1 + (shownBeat > QUESTION)) : isSummary ? [["beat", SUMMARY]] : [];
    const own = parameters().filter(isOfLecture).filter(([name]) => !PLACE.includes(name));
    history.replaceState(history.state, "", "?" + new URLSearchParams([...own, ...place]));
  }

  /** Open a scene, 0 for the list, at a beat. */
  function open(number, atBeat = QUESTION, withAnswers = false) {
    page.emit("color-by-unit", null);
    applySettings({ clamp: null });
    page.requestedScene = number;
    [target, isWhole, isSummary] = [atBeat, false, withAnswers];
    $(".cr-scene-details").open = false;
    clearTimeout(silence);
    keepAddress(number, QUESTION);
    if (number) return send("scene", { scene: number });
    [scene, beat] = [{ at: 0 }, QUESTION];
    if (isSummary) requestAnswer();
    return draw();
  }

  /** Request the first answer that the summary lacks. */
  function requestAnswer() {
    const missing = scenes.findIndex(({ missing }, i) => !missing.length && !answers.has(i + 1));
    if (missing >= 0) ask(missing + 1);
  }

  function ask(number) {
    clearTimeout(silence);
    silence = setTimeout(() => report("There is no answer yet."), PATIENCE_MS);
    send("reveal", { scene: number });
  }

  function reveal() {
    if (!isLecture || !scene.at || beat !== QUESTION || scene.isAsked) return;
    [scene.isAsked, scene.problem] = [true, ""];
    draw();
    ask(scene.at);
  }

  /** Show why there is no answer; the lecture can go on, and an answer that comes later is shown. */
  function report(problem) {
    clearTimeout(silence);
    [scene.isAsked, scene.problem, target] = [false, problem, QUESTION];
    draw();
  }

  /** Show another beat of a revealed scene. */
  function go(to) {
    isWhole = false;
    setBeat(to);
  }

  /** Set the beat of a revealed scene; the whole lab stays. */
  function setBeat(to) {
    beat = to;
    keepAddress(scene.at, beat);
    apply(beat === VARIATION ? scene.answer.ways[0] ?? {} : scene.answer.shown);
    draw();
  }

  /** Move by one beat, 1 or −1. */
  function move(by) {
    if (!isLecture) return undefined;
    if (isWhole) {
      isWhole = false;
      draw();
    }
    if (isSummary) return by < 0 && open(neighbor(scenes.length + 1, -1), VARIATION);
    if (by < 0) return beat === VARIATION ? go(ANSWER) : scene.at && (beat === ANSWER ? open(scene.at) : open(neighbor(scene.at, -1), VARIATION));
    if (scene.at && !isLast()) return beat === QUESTION ? reveal() : go(VARIATION);
    const next = neighbor(scene.at, 1);
    return next <= scenes.length ? open(next) : open(0, QUESTION, true);
  }

  /** Create a button that applies settings of the variation; the first is applied. */
  function wayButton({ title, says = "", lines = null, ...settings }, i) {
    const onclick = ({ currentTarget }) => {
      setText($(".cr-way-says"), says);
      for (const button of $(".cr-scene-ways").children) button.setAttribute("aria-pressed", button === currentTarget);
      apply(settings);
      if (!isWhole) showPicture(lines);
    };
    return create("button", { type: "button", ariaPressed: String(i === 0), onclick }, title);
  }

  function sceneItem({ question, minutes, missing }, i) {
    const button = create("button", { type: "button", disabled: missing.length > 0, onclick: () => open(i + 1) }, question);
    const { sentence = scene.problem || "Measuring …", number } = answers.get(i + 1) ?? {};
    const words = missing.length ? [`needs ${missing.join(" and ")}, not among the networks here`] : isSummary ? emphasized(sentence, number) : [`${minutes} min`];
    return create("li", {}, button, " ", create("span", {}, ...words));
  }

  $(".cr-scene-back").addEventListener("click", () => move(-1));
  $(".cr-scene-on").addEventListener("click", () => move(1));
  $(".cr-scene-list").addEventListener("click", () => open(0));
  $(".cr-scene-lab").addEventListener("click", () => {
    isWhole = !isWhole;
    draw();
    if (isWhole) showLab();
  });
  // Another tab, by its key, belongs to the whole lab.
  document.addEventListener("click", ({ target }) => {
    const title = target.closest("[role=tab]")?.textContent.trim();
    const own = (picture() ? [picture()] : (scene.pictures ?? [])).map((each) => each?.tab);
    if (!title || !document.body.classList.contains("cr-staged") || own.includes(title)) return;
    isWhole = true;
    if (page.requestedScene && page.requestedScene !== scene.at) { // it is still to come, and would open its tab
      [page.requestedScene, target] = [scene.at, QUESTION];
      keepAddress(scene.at, beat);
    }
    show(null);
    markLab();
  });
  // A slider has moved: no button of a clamp applies any more.
  page.on("clamps-applied", () => {
    scene.answer?.ways.forEach(({ clamp }, i) => {
      const values = clamp?.map(([, , value]) => value);
      if (values && beat === VARIATION) $(".cr-scene-ways").children[i]?.setAttribute("aria-pressed", String(page.appliedClamps.map(({ value }) => value).join() === values.join()));
    });
  });
  page.on("scene-moved", move);
  page.on("scene-revealed", reveal);

  return (value) => {
    const { lecture, hide, scenes: list, ...message } = JSON.parse(value);
    const sent = list?.[message.at - 1]?.missing.length ? { at: 0 } : message; // the list names what the scene needs
    if (lecture !== undefined) {
      [isLecture, scenes] = [lecture, list];
      isWhole = !opensStage();
      const place = new URLSearchParams(location.search).get("beat");
      isSummary = isLecture && !sent.at && place === SUMMARY;
      target = (Number(place) || 1) - 1;
      style.textContent = hide.map((selector) => `.gradio-container ${selector} { display: none !important; }`).join("\n");
      if (isSummary) requestAnswer();
    } else if (sent.loading) {
      loading = sent.loading;
      return scene.at ? undefined : draw();
    } else if (sent.answer && !sent.at) {
      return report(sent.answer.sentence);
    }
    if (sent.answer) clearTimeout(silence);
    if (sent.answer) answers.set(sent.at, sent.answer);
    if (sent.answer && isSummary) {
      requestAnswer();
      return draw();
    }
    if (lecture === undefined && sent.at !== page.requestedScene && !(sent.answer && sent.at === scene.at)) return undefined; // the lecture has moved on
    if (sent.answer && (sent.at !== scene.at || beat !== QUESTION)) return undefined;
    [scene, beat] = [sent, sent.answer ? ANSWER : QUESTION];
    if (sent.answer) {
      keepAddress(scene.at, beat);
      apply(sent.answer.shown);
    } else if (scene.at && target > QUESTION) whenReady(reveal);
    draw();
    if (!sent.answer) return undefined;
    if (target === VARIATION && !isLast()) setBeat(VARIATION);
    target = QUESTION;
    return undefined;
  };
}

/** Apply settings of a scene to the page. */
function apply({ unit, position, temperature, ...settings }) {
  if (unit !== undefined) whenShown(position, session.text.run, () => page.emit("color-by-unit", { unit, position }));
  else if (position !== undefined) page.emit("cursor-moved", position - page.live.cursor);
  if (temperature !== undefined) {
    const slider = document.querySelector("#cr-temperature");
    slider.value = temperature;
    slider.dispatchEvent(new Event("input"));
  }
  applySettings(settings);
}

/** Act when the text of this number is shown up to a position; never if another text begins before. */
function whenShown(position, run, act) {
  if (session.text.run !== run || session.state === "empty") return;
  const { record, drawn } = page.live ?? {};
  if (record?.run === run && drawn > position) act();
  else requestAnimationFrame(() => whenShown(position, run, act));
}

/** Split a sentence around its number, which is shown large. */
function emphasized(sentence, number) {
  const at = number ? sentence.indexOf(number) : -1;
  if (at < 0) return [sentence];
  return [sentence.slice(0, at), create("strong", {}, number), sentence.slice(at + number.length)];
}

/** Create a link to the lab that shows its address. */
const labLink = (name, query) => create("span", {}, name + ": ", create("a", { href: location.pathname + query }, location.host + location.pathname + query));

/** Create the figure of a text, marked from its first difference on. */
export function figure([title, text, divergence]) {
  const box = create("div", { tabIndex: 0, role: "group", ariaLabel: title, dir: "auto", translate: false }); // focusable, since it scrolls
  const [before, ...rest] = splitAround(text, divergence);
  box.append(...lines(before), create("b", {}, ...lines(rest.join(""))));
  return create("figure", {}, create("figcaption", {}, title), box);
}

/** Create the pieces of a text; line ends get a sign, so that a wrapped line is not taken for two. */
const lines = (text) => text.split(/(\n)/).map((part) => (part === "\n" ? create("i", {}, part) : fill(create("span"), part)));

/** Create the rows of signed values: name, bar, value with its margin, number of characters. */
function barRows(bars) {
  const most = Math.max(...bars.map(([, value]) => Math.abs(value)));
  return bars.map(([name, value, margin, characters]) => {
    const bar = create("i", { className: value < 0 ? "cr-loss" : "", style: `--share: ${Math.abs(value) / most}` });
    const number = signed(value, 2) + (margin === null ? "" : ` ± ${margin.toFixed(2)}`);
    return create("tr", {}, create("th", { scope: "row" }, name), create("td", {}, bar), create("td", {}, number), create("td", {}, characters.toLocaleString("en")));
  });
}
