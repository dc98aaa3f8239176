// Reads the page's own query parameters, as parse_link in share_link.py and open_link in lecture.py do.
//
// The limits come from link_schema.py. An invalid value is reported and replaced by its default.

import { countCharacters } from "../components/code_points.js";
import { repr, shortRepr } from "./python_repr.js";

const DECIMAL = /^[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(e[+-]?[0-9]{1,4})?$/i; // as in ranges.py

class InvalidValue extends Error {}

const fail = (message) => {
  throw new InvalidValue(message);
};
const shown = (text) => (text === "" ? "empty" : shortRepr(text));
const matches = (text, pattern) => new RegExp(`^(?:${pattern})$`, "su").test(text);

/**
 * Return what a link opens: { link, loaded: { name, step }, hidden, lecture, scene, notice }.
 *
 * search: the query string. models: as from describe_models, the default first. link: as from ShareLink.to_json.
 * hidden: selectors. scene: a number, 0 for none. notice: describes the invalid values, or null.
 */
export function readLink(search, schema, models) {
  const sent = new Map(new URLSearchParams(search));
  let read = parse(sent, schema, models);
  const { lecture = false, scene = 0 } = read.values;
  if (lecture && scene) read = parse(new Map([...Object.entries(schema.scenes[scene - 1]), ...sent]), schema, models);
  const { values, model, problems } = read;
  const { model: name = model.name, step = model.steps.at(-1), sha = "", ...given } = values;
  const link = { ...schema.defaults, prompt: model.prompt, edits: [], ...given };
  link.write = link.read && !given.characters ? 0 : link.characters;
  if (!link.read) delete link.read;
  if (Array.isArray(link.color)) link.view = link.color[0]; // the text and the heatmap show one quantity
  const { hide = [] } = link;
  if (hide.some((each) => schema.tabs[each] === link.tab)) delete link.tab;
  const hidden = hide.map((each) => schema.hideable[each]);
  const notice = describe(problems, sha, model, schema.max_problems);
  return { link, loaded: { name, step }, hidden, lecture, scene: lecture ? scene : 0, notice };
}

/** Describe the rejected parameters and another revision of the model; null if there are none. */
function describe(problems, sha, { name, sha256 }, limit) {
  const messages = [];
  if (!sha256.startsWith(sha)) {
    const found = `its sha256 begins with ${sha.slice(0, 12)}, of the one here with ${sha256.slice(0, 12)}`;
    messages.push(`This link was made with another checkpoint ${repr(name)}: ${found}. The text may differ.`);
  }
  if (problems.length) {
    const more = problems.length > limit ? `; and ${problems.length - limit} more` : "";
    const named = problems.slice(0, limit).join("; ") + more;
    messages.push(`Part of this link could not be used, and the default was taken: ${named}.`);
  }
  return messages.length ? { kind: "problem", text: messages.join(" ") } : null;
}

/** Parse the parameters sent: { values, model, problems }, with the valid values only. */
function parse(sent, schema, models) {
  const values = {};
  const problems = [];
  const unknown = []; // items of lists
  const names = models.map((each) => each.name);
  let model = models[0];
  const views = () => schema.views[model.name];
  const viewOf = (name, problem) =>
    Object.hasOwn(views(), name) ? views()[name] : fail(`${problem}: give one of ${Object.keys(views()).join(", ")}`);
  const unitOf = (parameter, text) => {
    const [name, unit] = text.split(":");
    return [name, requireNumber("unit", unit, viewOf(name, `${parameter} is ${repr(name)}`).units)];
  };

  const KINDS = {
    number: requireNumber,
    text: (name, text, { max }) => requireLength(name, text.replace(/\r\n?/g, "\n"), max),
    choice: (name, text, { options }) => oneOf(name, text, options),
    flag: (name, text) => oneOf(name, text || "1", ["0", "1"]) === "1",
    form: (name, text, { pattern, expected, max = Infinity }) =>
      countCharacters(text) <= max && matches(text, pattern) ? text : fail(`${name} is ${shown(text)}: ${expected}`),
    list: (name, text, { options = names }) => {
      const items = text.split(",").filter((item) => item);
      const others = items.filter((item) => !options.includes(item)).slice(0, 3);
      unknown.push(...others.map((item) => `${name} names ${shortRepr(item)}: give ${options.join(", ")}`));
      return items.filter((item) => options.includes(item));
    },
    model: (name, text, { max }) => {
      requireLength(name, text, max);
      if (!names.includes(text)) fail(`there is no checkpoint ${repr(text)}: choose one of ${names.join(", ")}`);
      model = models[names.indexOf(text)];
      return text;
    },
    side: (name, text) => {
      const chosen = models.find((each) => each.name === text);
      if (chosen) return [text, chosen.steps.at(-1)];
      const [first, step] = text.split(/:(?=[^:]*$)/s);
      const isSaved = models.find((each) => each.name === first)?.steps.some((saved) => String(saved) === step);
      return isSaved ? [first, Number(step)] : fail(`${name} is ${shown(text)}: give one of ${names.join(", ")}, or name:step with a saved step`);
    },
    view: (name, text) => oneOf(name, text, Object.keys(views())),
  };
  // Further checks of a value, and its stored form.
  const FURTHER = {
    step: (step) => {
      if (model.steps.includes(step)) return step;
      return fail(`${model.name} was not saved at step ${step}: choose one of [${model.steps.join(", ")}]`);
    },
    edits: (text, { positions }) => {
      const pairs = [...text.matchAll(/([0-9]+):(.)(?:,|$)/gsu)].map(([, position, character]) => [Number(position), character]);
      const edits = [...new Map(pairs)].sort(([a], [b]) => a - b);
      for (const [position] of edits) requireNumber("edits", String(position), positions);
      return edits;
    },
    tab: (name) => schema.tabs[name],
    range: (text, { expected }) => {
      const [first, last] = text.split("-").map(Number);
      return 1 <= first && first <= last ? [first, last] : fail(`range is ${shown(text)}: ${expected}`);
    },
    unit: (text) => unitOf("unit", text),
    color: (text) => (text.includes(":") ? unitOf("color", text) : text),
    clamp: (text, { max_clamps: max }) => {
      const clamps = text.split(",").map((clamp) => clamp.split(":"));
      if (clamps.length > max) fail(`clamp is ${shown(text)}: give a list of at most ${max}`);
      const parsed = clamps.map(([name, unit, value]) => {
        const { units, values: limits } = viewOf(name, `${shortRepr(name)} cannot be clamped here`);
        const number = unit === "all" ? null : requireNumber("unit", unit, units);
        return [name, number, requireNumber(`the value of ${name}`, value, limits)];
      });
      const places = parsed.map(([name, unit]) => `${name} of ${unit === null ? "every unit" : "unit " + unit}`);
      const twice = places.find((place, i) => places.indexOf(place) < i);
      return twice ? fail(`${twice} is clamped twice: give one value`) : parsed;
    },
  };
  for (const [name, limits] of Object.entries(schema.parameters)) {
    if (!sent.has(name) || (name === "step" && sent.has("model") && !values.model)) continue; // a step of a missing model
    try {
      const value = KINDS[limits.kind](name, sent.get(name), limits);
      values[name] = FURTHER[name] ? FURTHER[name](value, limits) : value;
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error;
      problems.push(error.message);
    }
  }
  return { values, model, problems: [...problems, ...unknown] };
}

function oneOf(name, text, options) {
  return options.includes(text) ? text : fail(`${name} is ${shown(text)}: give one of ${options.join(", ")}`);
}

function requireLength(name, text, max) {
  const length = countCharacters(text);
  return length <= max ? text : fail(`the length of ${name} is ${length}: give at most ${max}`);
}

/** Parse a number within limits, as Range in ranges.py does. */
function requireNumber(name, text, { low, high, whole, above, zero, expected }) {
  const isNumber = DECIMAL.test(text);
  const value = isNumber ? Number(text) : NaN;
  const isInside = value <= high && (above ? low < value : low <= value) && (!whole || Number.isInteger(value));
  return isInside || (zero && value === 0) ? value : fail(`${name} is ${isNumber ? text : shown(text)}: ${expected}`);
}
