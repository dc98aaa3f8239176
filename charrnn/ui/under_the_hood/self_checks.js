// Self-checks in Python, and of the sampler and the network in the page. They run when the panel is opened.

import { decodeArray } from "../components/base64.js";
import { create } from "../components/create_element.js";
import { edition } from "../components/edition.js";
import { createViewQuery } from "../components/view_query.js";
import { distribution, draw } from "../components/sampler.js";
import { page } from "../components/page_state.js";
import { provider } from "../session/page_session.js";

const MAX_LOGIT_DIFFERENCE = 1e-5; // Python sends float32
const STATES = { true: ["cr-holds", "✓", "passes"], false: ["cr-fails", "✗", "FAILS"], null: ["cr-recorded", "·", "for the record"] };

/** Return the beginning of a SHA-256, as Python sends it; "" if the browser offers none, on an insecure page. */
async function digest(text) {
  if (!globalThis.crypto?.subtle) return "";
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [...bytes.subarray(0, 6)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Check that the sampler of the page draws Python's text from Python's logits. */
async function checkPageSampler(sample) {
  const claim = "So does this page's sampler";
  if (!sample) return { claim, value: "nothing to draw from", limit: "the same hash", holds: false, how: "" };
  const logits = decodeArray(sample.logits, Float32Array);
  const characters = Array.from(sample.characters);
  const size = characters.length;
  const written = sample.draws.map((u, i) => {
    const probabilities = distribution(logits.subarray(i * size, (i + 1) * size), sample.settings);
    return characters[probabilities.order[draw(probabilities, u)]];
  });
  const isSame = sample.text === written.join("");
  const hash = await digest(written.join(""));
  const alike = Array.from(sample.text).filter((character, i) => character === written[i]).length;
  const how = "seed " + sample.seed + ": " + alike + " of " + written.length + " characters drawn alike in this browser from Python's logits";
  const value = hash || (isSame ? "the same text" : "another text");
  return { claim, value, limit: "the same hash, " + sample.digest, holds: isSame && (!hash || hash === sample.digest), how };
}

/** Check that the network in the page gives Python's text and logits. */
async function checkPageEngine(sample) {
  const claim = "So does the network in this page";
  const limit = "the same text, logits within " + MAX_LOGIT_DIFFERENCE;
  const engine = sample && (await provider.engineFor(page.checkpoint));
  if (!engine) return { claim, value: "not in this page", limit, holds: null, how: "the server runs this network" };
  const given = Array.from(sample.prompt).length;
  const request = { ...sample.settings, checkpoint: page.checkpoint, text: sample.prompt, prompt: given, start: 0, count: sample.draws.length };
  const piece = await engine.continue({ ...request, seed: sample.seed, edits: [], clamps: [], recurrent_scale: 1, view: "" });
  const logits = decodeArray(sample.logits, Float32Array);
  const size = piece.logits.length / Array.from(piece.text).length;
  const own = piece.logits.subarray((given - 1) * size);
  const difference = logits.reduce((largest, value, k) => Math.max(largest, Math.abs(value - own[k])), 0);
  const written = Array.from(piece.text).slice(given).join("");
  const holds = written === sample.text && difference <= MAX_LOGIT_DIFFERENCE;
  const how = "seed " + sample.seed + ": " + sample.draws.length + " characters, " + (written === sample.text ? "all alike" : "another text");
  return { claim, value: difference.toExponential(1), limit, holds, how };
}

/** Create the list item of a check. */
function item({ claim, value, limit, holds, how }) {
  const [className, sign, word] = STATES[holds];
  const state = create("span", "cr-check-state", create("span", { ariaHidden: "true" }, sign + " "), word);
  const parts = Object.entries({ "cr-claim": claim, "cr-measured": value, "cr-limit": limit, "cr-how": how });
  return create("li", className, state, ...parts.map(([name, text]) => create("span", name, text)));
}

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const details = element.querySelector("details");
  const list = element.querySelector(".cr-checks");
  const again = element.querySelector(".cr-again");
  const summary = element.querySelector(".cr-trust-summary");
  let shown = 0; // number of answers
  if (edition.needsPython) {
    summary.textContent = "Recorded when these files were made; two checks run when this is opened.";
    again.hidden = true;
  }
  const view = createViewQuery({
    element,
    send,
    show,
    busyText: "Measuring …",
    onAsk: () => (again.disabled = true),
    fold: details, // a closed panel needs no checks
  });

  again.addEventListener("click", view.ask);
  page.on("checkpoint-changed", view.ask);

  async function show(answer) {
    again.disabled = false;
    if (!answer.lines) return list.replaceChildren();
    view.say("Measuring …"); // until the page's own sampler is checked too
    const number = (shown += 1);
    const own = [await checkPageSampler(answer.sample), await checkPageEngine(answer.sample)];
    if (number !== shown) return; // a newer answer has come
    const after = answer.lines.findIndex((line) => line.claim.startsWith("Server and Python")) + 1;
    const lines = answer.lines.toSpliced(after, 0, ...own);
    const failing = own.filter(({ holds }) => holds === false);
    const origin = edition.needsPython ? "Python's lines were recorded when these files were made; those of this page ran now." : "";
    view.say([...failing.map(({ claim }) => claim + ": this fails."), answer.words, origin].join(" ").trim());
    summary.textContent =
      answer.failing || failing.length ? "✗ " + (answer.failing + failing.length) + " of " + lines.length + " checks fail" : "✓ every check passes";
    list.replaceChildren(...lines.map(item));
  }

  return view.receive;
}
