// The session of this page.

import { page } from "../components/page_state.js";
import { CallsProvider } from "./calls_provider.js";
import { Session } from "./session.js";

const ENDPOINT = "gradio_api/run/continue_text"; // below the address of the page

export const session = new Session(new CallsProvider(new URL(ENDPOINT, document.baseURI).href));

session.onMessage(({ state }) => {
  page.state = state;
  page.emit("state");
});

/** Apply the settings of the sliders from the next character on. */
export function configure() {
  const { speed, ...settings } = page.settings;
  session.configure(settings, speed);
}
