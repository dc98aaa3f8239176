// The session of this page.

import { edition } from "../components/edition.js";
import { page } from "../components/page_state.js";
import { hasSimd } from "../engine/matvec_wasm.js";
import { CallsProvider } from "./calls_provider.js";
import { EngineProvider } from "./engine_provider.js";
import { PageProvider } from "./page_provider.js";
import { isEqual, Session } from "./session.js";

const ENDPOINT = "gradio_api/run/continue_text"; // below the address of the page
const absolute = (path) => new URL(path, document.baseURI).href;

/** Start the engine in a worker; load(checkpoint) as in engine_provider.js. */
const startEngine = (load) => new EngineProvider(edition.startWorker("engine/worker.js"), load);

/** Show what runs the network of the session's text; views call the provider for other networks too. */
const showRunner = (runner, checkpoint = session.checkpoint) => {
  if (!isEqual(checkpoint, session.checkpoint) || isEqual(runner, page.runner)) return;
  page.runner = runner;
  page.emit("runner-changed");
};

const fetchFile = (path) => fetch(absolute(path));

const createAppProvider = () => new PageProvider(new CallsProvider(absolute(ENDPOINT)), hasSimd() ? startEngine : null, fetchFile, showRunner);

export const provider = edition.createProvider ? edition.createProvider(startEngine, showRunner) : createAppProvider();
export const session = new Session(provider);

session.onMessage(({ state }) => {
  page.state = state;
  page.emit("state");
});

/** Apply the settings of the sliders from the next character on. */
export function configure() {
  const { speed, ...settings } = page.settings;
  session.configure(settings, speed);
}
