// State shared by the views of a page, and the events that announce its changes.
//
// Events (page.on, page.emit); tests/test_page_events.py compares this table with the code:
//
// name               | payload                    | sent by                                           | meaning
// models-changed     | –                          | sidebar                                           | page.models
// checkpoint-changed | –                          | sidebar                                           | page.checkpoint
// selection-changed  | –                          | model_checkboxes, navigate, apply_link            | page.selectedModels
// settings           | –                          | sidebar                                           | page.settings
// state              | –                          | page_session                                      | page.state and the text
// runner-changed     | –                          | page_session                                      | page.runner
// custom-text        | –                          | plot                                              | page.customText
// score-text         | –                          | sidebar, apply_link                               | page.scoredText
// clamps             | –                          | apply_link                                        | page.clamps
// clamps-applied     | –                          | clamp                                             | page.appliedClamps
// recurrent-scale    | –                          | apply_link                                        | page.recurrentScale
// unit-selected      | element of the sender or – | unit_selection                                    | page.selectedUnit
// unit-text          | –                          | leaderboard                                       | page.unitText
// pair-changed       | –                          | pair                                              | page.compared
// comparison-linked  | –                          | navigate, apply_link                              | page.comparison
// cursor-moved       | number of characters       | keyboard, lecture, saliency, unit, source_trace   | move the cursor of Write
// cursor-reset       | –                          | keyboard                                          | release the cursor
// unit-moved         | −1 or 1                    | keyboard                                          | move the cursor by rows
// color-cursor-row   | –                          | keyboard                                          | color the text by the row
// color-by-unit      | {unit, position} or null   | lecture, opening                                  | color the text by a unit
// step-requested     | training step              | opening                                           | rewrite the text at a step
// setting-requested  | its input                  | navigate                                          | show a setting of the left column
// own-text-requested | –                          | opening                                           | open the form for a text to read
// scene-moved        | −1 or 1                    | keyboard                                          | next or previous beat of the lecture
// scene-revealed     | –                          | keyboard                                          | show the scene's answer
// show-shortcuts     | –                          | keyboard                                          | open the list of keys

const listeners = {};

export const page = {
  settings: { temperature: 0.8, top_k: 0, top_p: 1, min_p: 0, speed: 30 },
  models: [], // of the sidebar's list
  checkpoint: null, // {name, step}
  state: "empty", // empty | writing | paused | finished
  runner: null, // {engine, reason}: the page's engine runs the network, or the server and why
  selectedModels: null, // names; null for the server's default
  selectedUnit: null, // {view, unit} of the tab Neurons
  unitText: "", // custom text of the tab Neurons; "" for the default
  customText: "", // the same of the tab Gradients
  scoredText: "", // latest text to score on the tab Write
  clamps: null, // requested clamps [{name, unit, value}] of the model clampsOf
  clampsOf: null,
  appliedClamps: [], // including the default one
  recurrentScale: null, // factor of W_hh on the tab Gradients, if set by the user or a link
  compared: null, // {A, B}: checkpoints of the tab Compare
  comparison: {}, // what a link carries of the tab Compare: values that differ from the default, by name of the parameter
  scene: 0, // number of the lecture scene, from 1
  requestedScene: 0, // scene requested from the server; 0 before the first change
  hidden: [], // controls hidden by the link
  stats: { frames: 0, clickedAt: 0, firstCharacterMs: null }, // for measurements
  on(name, listener) {
    (listeners[name] ||= []).push(listener);
  },
  emit(name, detail) {
    for (const listener of listeners[name] || []) listener(detail);
  },
};

window.charrnn = page;

/** Call `act` as soon as the tab Write shows a text. */
export function whenReady(act) {
  if (page.live?.record) act();
  else requestAnimationFrame(() => whenReady(act));
}

// Lecture mode is always light and has its own colors. Applied before the first paint.
if (["", "1"].includes(new URLSearchParams(location.search).get("lecture"))) {
  document.body.classList.add("cr-lecture");
  const removeDark = () => document.body.classList.remove("dark");
  removeDark();
  new MutationObserver(() => document.body.classList.contains("dark") && removeDark()).observe(document.body, { attributes: true });
}

// The words of the page are English; Gradio declares the language of the browser.
const root = document.documentElement;
const declareEnglish = () => root.lang === "en" || (root.lang = "en");
declareEnglish();
new MutationObserver(declareEnglish).observe(root, { attributes: true, attributeFilter: ["lang"] });

/** Call back now and after every switch between light and dark. */
export function onTheme(callback) {
  callback();
  new MutationObserver(callback).observe(document.body, { attributes: true, attributeFilter: ["class"] });
}

const COMMON = { "\n": "⏎", " ": "␣", "\t": "⇥" };
const SIGNS = { ...COMMON, "\x7f": "␡", "\u00a0": "⍽" };
const INKLESS = /^[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]$/u;
const codePoint = (character) => "U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");

/** Return a visible form of a character: a sign if it has no ink, a dotted circle under a mark. As charrnn/invisible_chars.py. */
export function visible(character) {
  if (SIGNS[character]) return SIGNS[character];
  if (character < " " && character) return String.fromCharCode(0x2400 + character.charCodeAt(0));
  if (INKLESS.test(character)) return codePoint(character);
  return /^\p{M}/u.test(character) ? "◌" + character : character;
}

/** Return a visible form of one letter. */
export const visibleLetter = (character) => (INKLESS.test(character) && visible(character).length > 1 ? "▯" : visible(character));

/** Return a visible form for a sentence. */
export function quoted(character) {
  const sign = visible(character);
  const isClear = sign === character || character in COMMON || sign === codePoint(character);
  return "“" + sign + "”" + (isClear ? "" : " (" + codePoint(character) + ")");
}

const SPOKEN = { "⏎": "line end", "␣": "space", "⇥": "tab" };

/** Replace the signs that a screen reader does not name. */
export const spoken = (text) => text.replace(/[⏎␣⇥]/g, (sign) => SPOKEN[sign]);

/** Show the sign of an invisible character in the element that contains it. */
export function addSign(element, character) {
  if (character in COMMON || !INKLESS.test(character)) return;
  element.classList.add("cr-inkless");
  element.dataset.sign = visible(character);
}

/** Set a text of a network or a corpus, which is not translated, with a sign for each invisible character. */
export function fill(element, text) {
  const parts = text.split(/((?![\n\t ])[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800])/u).map((part, i) => {
    if (i % 2 === 0) return part;
    const span = document.createElement("span");
    span.textContent = part;
    addSign(span, part);
    return span;
  });
  element.replaceChildren(...parts);
  element.translate = false;
  return element;
}
