// What the views of one page share: the settings the visitor chose, and a way to tell each other about changes.

const listeners = {};

export const page = {
  settings: { temperature: 0.8, top_k: 0, top_p: 1, min_p: 0, speed: 30 },
  checkpoint: null, // {name, step}
  state: "empty", // empty | writing | paused | finished
  clamps: null, // [{name, unit, value}] that were asked for, of the network clampsOf; whoever sets them emits "clamps"
  clampsOf: null,
  held: [], // what is held, asked for or not
  knob: null, // what W_hh is multiplied by on the tab Gradients, where the visitor or a link chose it; emits "knob"
  scene: 0, // of a lecture, from 1
  sceneAsked: 0, // of the server; 0 until the visitor changes the scene
  hidden: [], // the controls that the address took away
  stats: { frames: 0, columns: 0, clickedAt: 0, firstCharacterMs: null, redrawMs: [], frameTimes: [] },
  on(name, listener) {
    (listeners[name] ||= []).push(listener);
  },
  emit(name, detail) {
    for (const listener of listeners[name] || []) listener(detail);
  },
};

window.charrnn = page;

/** A lecture is held on light paper, with colours of its own, from the first paint on. */
if (new URLSearchParams(location.search).get("lecture") === "1") {
  document.body.classList.add("cr-lecture");
  const light = () => document.body.classList.remove("dark");
  light();
  new MutationObserver(() => document.body.classList.contains("dark") && light()).observe(document.body, { attributes: true });
}

/** Call back now and whenever the page switches between light and dark. */
export function onTheme(callback) {
  callback();
  new MutationObserver(callback).observe(document.body, { attributes: true, attributeFilter: ["class"] });
}

const COMMON = { "\n": "⏎", " ": "␣", "\t": "⇥" };
const SIGNS = { ...COMMON, "\x7f": "␡", "\u00a0": "⍽" };
const INKLESS = /^[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]$/u;
const codePoint = (character) => "U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");

/** A character as it can be seen: itself, or a sign if it has no ink; a mark on a dotted circle. As charrnn/visible_signs.py. */
export function visible(character) {
  if (SIGNS[character]) return SIGNS[character];
  if (character < " " && character) return String.fromCharCode(0x2400 + character.charCodeAt(0));
  if (INKLESS.test(character)) return codePoint(character);
  return /^\p{M}/u.test(character) ? "◌" + character : character;
}

/** The same where there is room for one letter. */
export const visibleLetter = (character) => (INKLESS.test(character) && visible(character).length > 1 ? "▯" : visible(character));

/** The same, named in a sentence. */
export function quoted(character) {
  const sign = visible(character);
  const told = sign === character || character in COMMON || sign === codePoint(character);
  return "“" + sign + "”" + (told ? "" : " (" + codePoint(character) + ")");
}

/** Give an element that holds one character of a text the sign of one that would not be seen there. */
export function giveSign(element, character) {
  if (character in COMMON || !INKLESS.test(character)) return;
  element.classList.add("cr-inkless");
  element.dataset.sign = visible(character);
}

/** Fill an element with a text, each character that would not be seen there in an element with its sign. */
export function fill(element, text) {
  const parts = text.split(/((?![\n\t ])[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800])/u).map((part, i) => {
    if (i % 2 === 0) return part;
    const span = document.createElement("span");
    span.textContent = part;
    giveSign(span, part);
    return span;
  });
  element.replaceChildren(...parts);
  return element;
}
