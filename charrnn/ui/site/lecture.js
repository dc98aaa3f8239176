// The scenes of a lecture in the static page: their links and their kept answers.

import { loadPlotly } from "../components/plot/plotly_figure.js";
import { loadFile } from "./files.js";
import { readLink } from "./read_link.js";

export class Lecture {
  /** deliver(view, message): shows a message in a view. */
  constructor(site, readJson, deliver) {
    Object.assign(this, { site, readJson, deliver });
  }

  /** Show the page that a link opens. */
  open({ link, loaded, hidden, lecture, scene, notice }) {
    this.deliver("lecture/lecture", { ...this.#scene(scene), lecture, hide: hidden, scenes: this.site.scenes });
    this.#showModels({ link, loaded, notice });
    if (lecture) this.#loadAll();
  }

  /** Show a scene, and the page with its settings. */
  scene(number) {
    const search = new URLSearchParams({ lecture: "1", scene: number }).toString();
    const { link, loaded, notice } = readLink("?" + search, this.site.link, this.site.models.models);
    this.deliver("lecture/lecture", this.#scene(number));
    this.#showModels({ link, loaded, notice, scene: number });
  }

  /** Show the answer of a scene, or why it is not there. */
  async reveal(number) {
    const missing = { at: 0, answer: { sentence: "The answer could not be loaded: there may be no connection." } };
    this.deliver("lecture/lecture", await this.readJson(answerFile(number)).catch(() => missing));
  }

  /** Load what the scenes show, so that they need no connection, and say so. */
  async #loadAll() {
    const { scenes, networks, kept, link } = this.site;
    const numbers = scenes.map(({ at }) => at).filter((at) => !scenes[at - 1].missing.length);
    const used = new Set(numbers.map((at) => link.scenes[at - 1].model));
    const files = [
      ...numbers.map(answerFile),
      ...[...used].map((name) => Object.values(networks[name] ?? {}).at(-1)), // its last step
      ...Object.values(kept).flatMap((view) => Object.values(view.files)),
    ];
    try {
      await loadPlotly();
      for (const file of files) if (file) await loadFile(file);
      this.deliver("lecture/lecture", { loading: "Everything is loaded: the lecture goes on without a connection." });
    } catch {
      this.deliver("lecture/lecture", { loading: "There is no connection: only what was loaded before it broke can be shown." });
      addEventListener("online", () => this.#loadAll(), { once: true });
    }
  }

  #scene(number) {
    return number ? this.site.scenes[number - 1] : { at: 0 };
  }

  #showModels({ loaded, ...more }) {
    this.deliver("sidebar/sidebar", { ...this.site.models, chosen: loaded, ...more });
  }
}

const answerFile = (number) => `kept/scene-${number}.bin`;
