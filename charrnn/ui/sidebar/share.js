// Copies a link or Python code that reproduces the text.

import { page } from "../components/page_state.js";
import { unlinked } from "../components/unlinked_state.js";
import { session } from "../session/page_session.js";
import { selectedTab } from "../session/saved_page.js";
import { MAX_RUN_CHARS, NO_INTERVENTIONS, isEqual } from "../session/session.js";

const SHA_DIGITS = 12;
const MAX_LINK_CHARS = 8000; // proxies refuse longer addresses

/** Set up the buttons; `request` returns the settings of a new text. */
export function createShare(element, request) {
  const $ = (selector) => element.querySelector(selector);
  const box = $(".cr-copied");
  const area = box.querySelector("textarea");

  /** Check if the current settings reproduce the text on the page. */
  function isReproducible() {
    const { recipe } = session;
    if (!recipe || session.state === "empty" || !isEqual(recipe.interventions, NO_INTERVENTIONS)) return false; // a link contains no interventions
    if (recipe.read !== undefined && !session.written) return true; // nothing was generated: settings do not matter
    const { prompt, seed, checkpoint, ...current } = request();
    const settings = Object.fromEntries(Object.keys(recipe.settings).map((name) => [name, current[name]]));
    if (!isEqual([recipe.settings, recipe.checkpoint, session.text.seed], [settings, checkpoint, seed])) return false;
    return recipe.read !== undefined || recipe.prompt === prompt;
  }

  /** Return the length of this text, or the requested one if settings have changed. */
  function length() {
    const isKnown = isReproducible() && session.state !== "writing" && (session.written > 0 || session.recipe.read !== undefined);
    return isKnown ? session.written : Number(request().characters);
  }

  function textSettings() {
    const [edits, read] = isReproducible() ? [page.live.record?.edits || [], session.recipe.read] : [[], undefined];
    return { ...request(), characters: length(), edits, read };
  }

  function announce(message) {
    const caveat = isReproducible() ? "" : " Settings changed since this text began, so the copy will give a different text.";
    const status = $(".cr-share [role=status]");
    status.textContent = message + caveat;
    status.scrollIntoView({ block: "nearest" });
  }

  /** Copy to the clipboard; if the browser refuses, show the text selected. loss: a sentence about what is not in it. */
  async function copy(text, name, loss = "") {
    try {
      await navigator.clipboard.writeText(text);
      box.hidden = true;
      announce(name + " copied." + loss);
    } catch {
      area.value = text;
      box.hidden = false;
      area.focus();
      area.select();
      announce("Your browser blocked copying. The text is selected: press Ctrl+C." + loss);
    }
  }

  /** Check the number inputs; the browser reports an invalid one. */
  function areInputsValid() {
    const invalid = [...element.querySelectorAll("input[type=number]")].find((input) => !input.checkValidity());
    if (!invalid) return true;
    $(".cr-more").open = true;
    invalid.reportValidity();
    return false;
  }

  $('[data-action="link"]').addEventListener("click", () => {
    if (!areInputsValid()) return;
    if (length() > MAX_RUN_CHARS) return announce(`A link writes at most ${MAX_RUN_CHARS} characters: copy as Python instead.`);
    const settings = textSettings();
    const link = linkTo(settings);
    const text = settings.read === undefined ? "prompt" : "passage";
    if (link.length > MAX_LINK_CHARS) return announce(`The ${text} is too long for a link: shorten it, or copy as Python.`);
    const lost = unlinked();
    copy(link, "Link", lost.length ? " It does not carry " + new Intl.ListFormat("en").format(lost) + "." : "");
  });
  $('[data-action="python"]').addEventListener("click", () => {
    if (areInputsValid()) copy(snippet(textSettings()), "Python");
  });
  box.querySelector("button").addEventListener("click", () => {
    box.hidden = true;
    $('[data-action="link"]').focus();
  });
}

/** Format a clamp for share_link.py. */
const formatClamp = ({ name, unit, value }) => [name, unit ?? "all", value].join(":");

/** Encode a value for a query; characters that are allowed there stay readable. */
function encode(value) {
  return encodeURIComponent(value).replaceAll("%20", "+").replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("%2F", "/");
}

/** Return the link that opens the page with these settings; defaults are omitted, except in a scene. */
function linkTo(settings) {
  const { scene, defaults } = page;
  const { checkpoint, edits, read } = settings;
  const { record } = page.live;
  const model = page.models.find((m) => m.name === checkpoint.name);
  const parts = [["model", checkpoint.name]];
  if (checkpoint.step !== model.steps.at(-1)) parts.push(["step", checkpoint.step]);
  for (const name of [...Object.keys(page.settings), "seed"]) if (scene || settings[name] !== defaults[name]) parts.push([name, settings[name]]);
  if (read !== undefined) {
    parts.push(["read", read]);
    if (settings.characters) parts.push(["characters", settings.characters]);
  } else {
    for (const name of ["characters", "prompt"]) if (scene || settings[name] !== defaults[name]) parts.push([name, settings[name]]);
  }
  if (edits.length) parts.push(["edits", edits.map(([offset, character]) => offset + ":" + character).join(",")]);
  const tab = Object.entries(page.tabs).find(([, title]) => title === selectedTab());
  if (tab && (scene || tab[0] !== "write")) parts.push(["tab", tab[0]]);
  if (record && (scene || record.view.name !== record.model.views[0])) parts.push(["view", record.view.name]);
  if (page.live.coloring !== (read === undefined ? "none" : "surprise")) parts.push(["color", page.live.coloring]);
  if (page.live.map.change) parts.push(["change", 1]);
  const rows = document.querySelector('.cr-orders [aria-pressed="true"]')?.dataset.value;
  if (rows && rows !== "similarity") parts.push(["rows", rows]);
  if (page.selectedUnit && tab?.[0] === "neurons") parts.push(["unit", page.selectedUnit.view + ":" + page.selectedUnit.unit]);
  const { range } = page.live.map;
  if (range) parts.push(["range", range.first + 1 + "-" + (range.last + 1)]);
  if (page.selectedModels && page.selectedModels.every((name) => !name.includes(","))) parts.push(["tick", page.selectedModels.join(",")]);
  if (page.clamps && page.clampsOf === model.name) parts.push(["clamp", page.clamps.map(formatClamp).join(",")]);
  if (page.recurrentScale !== null) parts.push(["knob", page.recurrentScale]);
  for (const [name, value] of Object.entries(page.comparison)) parts.push([name, Array.isArray(value) ? value.join(":") : value]);
  if (document.body.classList.contains("cr-lecture")) parts.push(["lecture", 1]);
  if (scene) parts.push(["scene", scene]);
  if (page.hidden.length) parts.push(["hide", page.hidden.join(",")]);
  parts.push(["sha", model.sha256.slice(0, SHA_DIGITS)]);
  return location.origin + location.pathname + "?" + parts.map(([name, value]) => name + "=" + encode(value)).join("&");
}

/** Return Python code that prints the same text; JSON literals are valid Python. */
function snippet({ checkpoint, prompt, read, seed, characters, edits, ...settings }) {
  const model = page.models.find((m) => m.name === checkpoint.name);
  const known = [...(read ?? prompt)].filter((character) => model.vocabulary.includes(character)).join("");
  const sampling = ["temperature", "top_k", "top_p", "min_p"].map((name) => name + "=" + settings[name]).join(", ");
  const step = checkpoint.step === model.steps.at(-1) ? "" : ", step=" + checkpoint.step;
  const chosen = edits.map(([offset, character]) => `${offset}: trained.vocab.encode(${JSON.stringify(character)})[0]`).join(", ");
  return [
    ...model.imports,
    "from charrnn.checkpoint import load",
    "from charrnn.sampling import SamplingSettings, UniformStream, generate",
    "",
    `trained = load(${model.source}${step})${model.note ? "  # " + model.note : ""}`,
    "decoder = trained.model.decoder()",
    `prompt = ${JSON.stringify(known)}`,
    "output = decoder.prefill(trained.vocab.encode(prompt))",
    `settings, draws = SamplingSettings(${sampling}), UniformStream(${seed})`,
    ...(edits.length ? [`chosen = {${chosen}}  # offset: id, instead of the drawn character`] : []),
    `steps = generate(decoder, output, ${characters}, settings, draws${edits.length ? ", chosen=chosen" : ""})`,
    'print(prompt + trained.vocab.decode(step.id for step in steps), end="")',
    "",
  ].join("\n");
}
