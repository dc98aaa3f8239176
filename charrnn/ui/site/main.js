// The static page: lays out its tabs, and mounts its views with kept answers in place of a server.

import { edition } from "../components/edition.js";
import { showNotLoaded } from "../components/not_loaded.js";
import { Answers } from "./answers.js";
import { readFile, readJson } from "./files.js";
import { Lecture } from "./lecture.js";
import { readLink } from "./read_link.js";
import { SiteProvider } from "./site_provider.js";
import { showTabs } from "./tabs.js";

const site = await readJson("site.json");
const opening = readJson("kept/opening.bin");
edition.createProvider = (startEngine, onRunner) => {
  const load = ({ name, step }) => readFile(site.networks[name][step]);
  return new SiteProvider(opening, load, startEngine, onRunner);
};

const { liveAnswers } = await edition.importModule("site/live_answers.js"); // after the provider is known
const views = new Map(); // name -> a function that takes a message
const deliver = (name, message) => views.get(name)?.(JSON.stringify(message));
const answers = new Answers(site.kept, readJson, liveAnswers);
const link = readLink(location.search, site.link, site.models.models);
const lecture = new Lecture(site, readJson, deliver);

/** Send an event of a view to what answers it; see components/mount.js for the app. */
async function send(name, event, data) {
  if (event === "ask") for await (const message of answers.ask(name, data)) deliver(name, { ...message, number: data.number });
  if (event === "scene" || event === "reveal") await lecture[event](data.scene);
}

/** Load the module of a view and mount it; say so in its place if it cannot be loaded. */
async function mountView(element) {
  const { module, view } = element.dataset;
  try {
    const { mount } = await edition.importModule(module + ".js");
    views.set(view, mount({ element, send: (event, data) => send(view, event, data) }));
  } catch (error) {
    showNotLoaded(element, error);
  }
}

const mountIn = (root) => Promise.all([...root.querySelectorAll("[data-module]")].map(mountView));

document.addEventListener("submit", (event) => event.preventDefault());
showTabs(document.querySelector("[role=tablist]"), mountIn);
await Promise.all([mountIn(document.querySelector(".cr-aside")), mountIn(document.querySelector("#cr-tab-write"))]);
lecture.open(link);
