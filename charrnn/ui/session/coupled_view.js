// Shows two coupled texts in a view, and their first difference.

import { createDivergence, describeDivergence } from "../components/divergence.js";
import { page } from "../components/page_state.js";
import { createTextPair } from "../components/text_pair.js";
import { createViewQuery } from "../components/view_query.js";
import { coupledTexts } from "./coupled_texts.js";
import { provider } from "./page_session.js";
import { sleep } from "./session.js";

const SETTINGS = ["temperature", "top_k", "top_p", "min_p"];

/** Return a writer with the sampling settings among these values. */
export const writerOf = (checkpoint, values, interventions = {}) => {
  return { checkpoint, ...Object.fromEntries(SETTINGS.map((name) => [name, values[name]])), ...interventions };
};

/** Call back after a change of the settings in the sidebar on which a text depends. */
export function onTextSettings(changed) {
  page.on("settings", changed);
  for (const name of ["prompt", "seed", "characters"]) document.querySelector("#cr-" + name)?.addEventListener("change", changed);
}

/**
 * Set up the texts of a view in its .cr-writers, .cr-text-words and, if it has one, .cr-divergence.
 *
 * request(): { writers, prompt, seed, characters } of coupled_texts.js with { titles, notice, whyIdentical }; null for no
 * texts. notice: shown after the sentence; whyIdentical: the reason for equal texts. lazily, pause: see view_query.js.
 *
 * Returns {ask, askLater, clear}: `ask` replaces the texts, now or when the view is next visible; `askLater` does after a pause.
 */
export function createCoupledTexts({ element, request, lazily, pause }) {
  const words = element.querySelector(".cr-text-words");
  const showTexts = createTextPair(element.querySelector(".cr-writers"));
  const divergenceBox = element.querySelector(".cr-divergence");
  const showDivergence = divergenceBox ? createDivergence(divergenceBox) : () => {};
  let controller = new AbortController();

  const say = (text) => (words.textContent = text);

  function clear(text = "") {
    controller.abort();
    say(text);
    showTexts({});
    showDivergence(null);
  }

  function show(requested, { prompt, texts, divergence, notice }) {
    showTexts({ prompt, texts, divergence }, requested.titles);
    showDivergence(divergence, requested.titles);
    say([describe(requested, texts, divergence), requested.notice, notice].filter(Boolean).join(" "));
  }

  async function write(requested) {
    if (!requested) return clear();
    controller.abort();
    controller = new AbortController();
    const { signal } = controller;
    const wait = (milliseconds) => {
      if (!signal.aborted) say("Waiting for the server …");
      return sleep(milliseconds);
    };
    say("Writing …");
    try {
      for await (const result of coupledTexts(provider, requested, signal, wait)) {
        if (signal.aborted) return undefined;
        show(requested, result);
      }
    } catch (error) {
      if (!signal.aborted) clear(error.message.replace(/\.?$/, "."));
    }
    return undefined;
  }

  const { ask, askLater } = createViewQuery({ element, send: (_, query) => write(query.texts), request: () => ({ texts: request() }), lazily, pause, isLocal: true });
  return { ask, askLater, clear };
}

/** Describe the texts so far in a sentence. */
function describe({ titles, characters, whyIdentical }, texts, divergence) {
  const written = Array.from(texts[0]).length;
  if (divergence) return describeDivergence(divergence, titles.map((title) => title.split(" · ")[0]));
  if (written < characters) return "Writing …";
  if (titles.length < 2) return "";
  const count = characters === 1 ? "character" : `${characters.toLocaleString("en")} characters`;
  return `Identical: both write the same ${count}; ${whyIdentical}.`;
}
