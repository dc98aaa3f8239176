// The trust panel: asks when it is opened, and draws the same text once more with the page's own sampler.

import { createViewQuery } from "../components/view_query.js";
import { distribution, draw } from "../components/sampler.js";
import { page } from "../components/page_state.js";

const STATES = { true: ["cr-holds", "✓", "holds"], false: ["cr-fails", "✗", "FAILS"], null: ["cr-told", "·", "for the record"] };

/** The first half of a SHA-256, as the server tells it; empty where the browser has none (a page that is not secure). */
async function digest(text) {
  if (!globalThis.crypto?.subtle) return "";
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [...bytes.subarray(0, 6)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The line of the page's own sampler. */
async function ofPage(dice) {
  const claim = "The page's sampler writes it too";
  if (!dice) return { claim, value: "nothing to draw from", limit: "the same hash", holds: false, how: "" };
  const logits = new Float32Array(Uint8Array.from(atob(dice.logits), (c) => c.charCodeAt(0)).buffer);
  const characters = Array.from(dice.characters);
  const size = characters.length;
  const written = dice.draws.map((u, i) => {
    const found = distribution(logits.subarray(i * size, (i + 1) * size), dice.settings);
    return characters[found.order[draw(found, u)]];
  });
  const same = dice.text === written.join("");
  const hash = await digest(written.join(""));
  const alike = Array.from(dice.text).filter((character, i) => character === written[i]).length;
  const how = "seed " + dice.seed + ": " + alike + " of " + written.length + " characters drawn alike in this browser from the server's logits";
  return { claim, value: hash || (same ? "the same text" : "another text"), limit: "the same hash, " + dice.digest, holds: same && (!hash || hash === dice.digest), how };
}

function item({ claim, value, limit, holds, how }) {
  const [className, sign, word] = STATES[holds];
  const node = document.createElement("li");
  node.className = className;
  const part = (name, text) => {
    const span = document.createElement("span");
    span.className = name;
    span.textContent = text;
    return span;
  };
  const state = part("cr-check-state", "");
  const mark = part("", sign + " ");
  mark.setAttribute("aria-hidden", "true");
  state.append(mark, word);
  node.append(state, part("cr-claim", claim), part("cr-measured", value), part("cr-limit", limit), part("cr-how", how));
  return node;
}

/** Set up the view; returns what takes the server's answers. */
export function mount({ element, send }) {
  const details = element.querySelector("details");
  const words = element.querySelector(".cr-plot-words");
  const list = element.querySelector(".cr-checks");
  const again = element.querySelector(".cr-again");
  let shown = 0;
  const view = createViewQuery({
    element,
    send: (name, data) => details.open && send(name, data), // nobody measures for a panel that is closed
    request: () => ({}),
    asked() {
      if (!details.open) return;
      words.textContent = "Measuring …";
      again.disabled = true;
    },
  });

  details.addEventListener("toggle", () => details.open && view.ask());
  again.addEventListener("click", view.ask);
  page.on("checkpoint-changed", () => details.open && view.ask());

  return async (value) => {
    const answer = view.answered(value);
    if (!answer) return;
    again.disabled = false;
    if (!answer.lines) {
      words.textContent = answer.words;
      return list.replaceChildren();
    }
    const turn = (shown += 1);
    const own = await ofPage(answer.dice);
    if (turn !== shown) return;
    const after = answer.lines.findIndex((line) => line.claim.startsWith("Server and Python")) + 1;
    const lines = answer.lines.toSpliced(after, 0, own);
    words.textContent = own.holds ? answer.words : "The page's own sampler fails. " + answer.words;
    element.querySelector(".cr-trust-summary").textContent =
      answer.failing || !own.holds ? "✗ " + (answer.failing + !own.holds) + " of " + lines.length + " lines fail" : "✓ every claim holds";
    list.replaceChildren(...lines.map(item));
  };
}
