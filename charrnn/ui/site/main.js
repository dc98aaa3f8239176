// The static page: lays out its tabs, and mounts its views with kept answers in place of a server. It runs in the script that
// charrnn/site/bundle.py makes of all modules, where charrnnModule(name) gives the exports of one.

import { edition } from "../components/edition.js";
import { Answers, NEEDS_PYTHON } from "./kept_answers.js";
import { readFile, readJson } from "./files.js";
import { Lecture } from "./lecture.js";
import { readLink } from "./read_link.js";
import { SiteProvider } from "./site_provider.js";
import { showTabs } from "./tabs.js";

const site = await readJson("site.json");
const firstCall = readJson("kept/opening.bin");
edition.createProvider = (startEngine, onRunner) => {
  const load = ({ name, step }) => readFile(site.networks[name][step]);
  return new SiteProvider(firstCall, load, startEngine, onRunner);
};

edition.needsPython = NEEDS_PYTHON;

const { liveAnswers } = charrnnModule("site/live_answers.js"); // after the provider is known
const views = new Map(); // name -> a function that takes a message
const deliver = (name, message) => views.get(name)?.(JSON.stringify(message));
const answers = new Answers(site.kept, readJson, liveAnswers);
const hasLink = [...new URLSearchParams(location.search).keys()].some((name) => Object.hasOwn(site.link.parameters, name));
const opening = hasLink ? null : site.opening;
const link = readLink(opening ? opening.link : location.search, site.link, site.models.models);
const lecture = new Lecture(site, readJson, deliver);

/** Answer an event of a view; components/load_view.js sends those of the app to the server. */
async function send(name, event, data) {
  if (event === "ask") for await (const message of answers.ask(name, data)) deliver(name, { ...message, number: data.number });
  if (event === "scene" || event === "reveal") await lecture[event](data.scene);
}

/** Mount a view. */
function mountView(element) {
  const { module, view } = element.dataset;
  const { mount } = charrnnModule(module + ".js");
  views.set(view, mount({ element, send: (event, data) => send(view, event, data) }));
}

const mountIn = (root) => root.querySelectorAll("[data-module]").forEach(mountView);

document.addEventListener("submit", (event) => event.preventDefault());
showTabs(document.querySelector("[role=tablist]"), mountIn);
mountView(document.querySelector(".cr-lecture-view"));
for (const part of [".cr-aside", "#cr-tab-write"]) mountIn(document.querySelector(part));
if (opening) deliver("write/opening", opening);
lecture.open(link);
