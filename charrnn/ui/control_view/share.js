// Copy link and Copy as Python: what writes this text once more, in the page or with the package.

import { page } from "../page.js";

const SETTINGS = ["temperature", "top_k", "top_p", "min_p", "speed"];
const SHA_DIGITS = 12;
const LONGEST_RUN = 3000; // as wishes.py has it
const LONGEST_LINK = 8000; // characters; servers on the way refuse longer ones

/** Set up both buttons; `request` gives what Write would send. Returns what is told when a text begins. */
export function sharing(element, request) {
  const $ = (selector) => element.querySelector(selector);
  const box = $(".cr-copied");
  const area = box.querySelector("textarea");
  let begun = null; // what the text on the page was begun with
  let mixed = false; // whether something changed while it was written

  const recipe = () => {
    const { temperature, top_k, top_p, min_p, prompt, seed, characters, checkpoint } = request();
    return JSON.stringify([temperature, top_k, top_p, min_p, prompt, seed, checkpoint, characters]);
  };
  const withoutLength = (json) => json && json.slice(0, json.lastIndexOf(","));
  const isThis = () => !mixed && withoutLength(recipe()) === withoutLength(begun);

  /** How many characters of this recipe stand there; those that are asked for where it is not this text. */
  function length() {
    const { record } = page.live;
    const written = record ? record.length - record.prompt : 0;
    return isThis() && page.state !== "writing" && written > 0 ? written : Number(request().characters);
  }

  const edits = () => (isThis() && page.live.record?.edits) || [];

  function announce(what) {
    const but = isThis() ? "" : " It writes with the settings of now; the text here came about otherwise.";
    $(".cr-share [role=status]").textContent = what + but;
  }

  /** The clipboard can be refused: then the text stands there, selected. */
  async function copy(text, what) {
    try {
      await navigator.clipboard.writeText(text);
      box.hidden = true;
      announce(what + " copied.");
    } catch {
      area.value = text;
      box.hidden = false;
      area.focus();
      area.select();
      announce("The browser refuses the clipboard: copy the selected text yourself.");
    }
  }

  function usable() {
    const wrong = [...element.querySelectorAll("input[type=number]")].find((input) => !input.checkValidity());
    if (!wrong) return true;
    $(".cr-more").open = true;
    wrong.reportValidity();
    return false;
  }

  $('[data-action="link"]').addEventListener("click", () => {
    if (!usable()) return;
    if (length() > LONGEST_RUN) return announce(`A link writes at most ${LONGEST_RUN} characters: copy as Python instead.`);
    const link = address({ ...request(), characters: length(), edits: edits() });
    if (link.length > LONGEST_LINK) return announce("The prompt is too long for a link: shorten it, or copy as Python.");
    copy(link, "Link");
  });
  $('[data-action="python"]').addEventListener("click", () => {
    if (usable()) copy(snippet({ ...request(), characters: length(), edits: edits() }), "Python");
  });
  box.querySelector("button").addEventListener("click", () => {
    box.hidden = true;
    $('[data-action="link"]').focus();
  });

  return {
    began() {
      begun = recipe();
      mixed = false;
    },
    /** Another text, not what the settings write. */
    strayed() {
      mixed = true;
    },
    /** The same with another checkpoint. */
    wroteAgain() {
      const recipes = [begun, recipe()].map((json) => json && JSON.stringify(JSON.parse(json).slice(0, 6)));
      mixed ||= recipes[0] !== recipes[1];
      begun = recipe();
    },
    goesOn() {
      mixed ||= withoutLength(recipe()) !== withoutLength(begun);
    },
  };
}

/** Readable: what may stand in a query stays as it is. */
function encoded(value) {
  return encodeURIComponent(value).replaceAll("%20", "+").replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("%2F", "/");
}

/** The address that opens the page with this, naming only what differs from the defaults. */
function address(wanted) {
  const defaults = page.defaults;
  const { checkpoint, edits } = wanted;
  const { record } = page.live;
  const model = page.models.find((each) => each.name === checkpoint.name);
  const parts = [["model", checkpoint.name]];
  if (checkpoint.step !== model.steps.at(-1)) parts.push(["step", checkpoint.step]);
  for (const name of [...SETTINGS, "seed", "characters", "prompt"]) {
    if (wanted[name] !== defaults[name]) parts.push([name, wanted[name]]);
  }
  if (edits.length) parts.push(["edits", edits.map(([at, character]) => at + ":" + character).join(",")]);
  const tab = Object.entries(page.tabs).find(([, title]) => title === shownTab());
  if (tab && tab[0] !== "write") parts.push(["tab", tab[0]]);
  if (record && record.view.name !== record.model.views[0]) parts.push(["view", record.view.name]);
  if (page.live.map.change) parts.push(["change", 1]);
  const rows = document.querySelector('.cr-orders [aria-pressed="true"]')?.dataset.value;
  if (rows && rows !== "similarity") parts.push(["rows", rows]);
  parts.push(["sha", model.sha256.slice(0, SHA_DIGITS)]);
  return location.origin + location.pathname + "?" + parts.map(([name, value]) => name + "=" + encoded(value)).join("&");
}

function shownTab() {
  return document.querySelector('[role=tab][aria-selected="true"]')?.textContent.trim();
}

/** What the package needs to print the same text. JSON's strings, numbers and lists are Python's too. */
function snippet({ checkpoint, prompt, seed, characters, edits, ...settings }) {
  const model = page.models.find((each) => each.name === checkpoint.name);
  const known = [...prompt].filter((character) => model.vocabulary.includes(character)).join("");
  const chosen = ["temperature", "top_k", "top_p", "min_p"].map((name) => name + "=" + settings[name]).join(", ");
  const last = checkpoint.step === model.steps.at(-1);
  const load = `trained = load(${model.source}${last ? "" : ", step=" + checkpoint.step})`;
  const begin = [
    load,
    "decoder = trained.model.decoder()",
    `prompt = ${JSON.stringify(known)}`,
    "reading = decoder.prefill(trained.vocab.encode(prompt))",
    `settings, dice = SamplingSettings(${chosen}), Dice(${seed})`,
  ];
  const imports = [...model.imports, "from charrnn.checkpoint import load"];
  if (!edits.length) {
    return [
      ...imports,
      "from charrnn.sampling import Dice, SamplingSettings, generate",
      "",
      ...begin,
      `steps = generate(decoder, reading, ${characters}, settings, dice)`,
      'print(prompt + trained.vocab.decode(step.id for step in steps), end="")',
      "",
    ].join("\n");
  }
  return [
    ...imports,
    "from charrnn.sampling import Dice, SamplingSettings, write_step",
    "",
    ...begin,
    `chosen = dict(${JSON.stringify(edits)})  # in place of what the dice would have drawn`,
    "text = prompt",
    `for index in range(${characters}):`,
    "    if index in chosen:",
    "        text += chosen[index]",
    "        reading = decoder.step(trained.vocab.encode(chosen[index])[0], reading.state)",
    "    else:",
    "        step = write_step(decoder, reading, settings, dice, index)",
    "        text += trained.vocab.decode([step.id])",
    "        reading = step.reading",
    'print(text, end="")',
    "",
  ].join("\n");
}
