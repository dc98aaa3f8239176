// Answers to the queries of the views: live ones, and those kept with the site (charrnn/site/kept_answers.py).

import { selectModels } from "./select_models.js";

export const NEEDS_PYTHON = "This needs Python: start the app with “python app.py” in the project's folder.";
export const SIMILAR = "(The nearest answer kept with this page; “python app.py” in the project's folder computes the exact one.)";

const NARROW = 560; // pixels, as in Python
const WIDTHS = [340, 860];

/** Return a field of a query. */
function valueOf(query, name) {
  const { checkpoint, form = {} } = query;
  if (name === "checkpoint") return checkpoint ? [checkpoint.name, checkpoint.step] : null;
  if (name === "name") return checkpoint?.name ?? null;
  if (name === "width") return WIDTHS[Number(query.width >= NARROW)];
  if (Array.isArray(form[name])) return [...form[name]].sort();
  return form[name] === "" ? null : (form[name] ?? null);
}

/** Return the key of a query, as kept_answers.py does. */
export const keyOf = (fields, query) => JSON.stringify(fields.map((name) => valueOf(query, name)));

/** Return an error message as a sentence, as page_messages.py does. */
const sentence = (text) => text.replace(/^\S(?! )/u, (first) => first.toUpperCase()) + (text.endsWith(".") ? "" : ".");

export class Answers {
  /**
   * kept: by view, see KeptAnswers in Python. readJson(name) -> Promise of a file's value.
   * live: by view, a function from a query and `kept`, the messages kept for it or null, to the messages of its answer.
   */
  constructor(kept, readJson, live) {
    Object.assign(this, { kept, readJson, live });
  }

  /** Yield the messages of an answer. */
  async *ask(view, query) {
    try {
      const kept = await this.#kept(view, query);
      const answer = this.live[view];
      if (answer) yield* answer(query, kept);
      else yield* kept ?? [{ words: NEEDS_PYTHON, figure: null }];
    } catch (error) {
      yield { words: sentence(error.message), figure: null };
    }
  }

  /** Return the kept messages of a query; null if there are none. */
  async #kept(view, query) {
    const kept = this.kept[view];
    if (!kept || kept.blank.some((name) => query.form?.[name])) return null;
    const [file, isExact] = this.#find(kept, JSON.parse(keyOf(kept.fields, query)));
    if (!file) return null;
    const messages = await this.readJson(file);
    const shown = isExact ? messages : messages.map((message) => ({ ...message, words: `${message.words} ${SIMILAR}` }));
    return kept.models ? shown.map((message) => (message.models ? selectModels(message, query.names) : message)) : shown;
  }

  /** Return the file of an answer and whether it is exactly that of these values. */
  #find(kept, values) {
    const { fields, files, nearest, optional } = kept;
    const tried = [...values];
    for (const name of ["", ...optional]) {
      const at = fields.indexOf(name);
      if (at >= 0) tried[at] = null;
      const file = files[JSON.stringify(tried)];
      if (file) return [file, tried.every((value, i) => value === values[i])];
    }
    const at = fields.indexOf(nearest);
    if (at < 0) return [];
    const matches = (key) => key.every((value, i) => i === at || JSON.stringify(value) === JSON.stringify(values[i]));
    const distance = (key) => Math.abs(key[at] - values[at]);
    const keys = Object.keys(files).map((key) => JSON.parse(key)).filter(matches);
    const [closest] = keys.sort((a, b) => distance(a) - distance(b));
    return closest ? [files[JSON.stringify(closest)], false] : [];
  }
}
