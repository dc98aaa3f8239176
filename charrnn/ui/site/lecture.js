// The scenes of a lecture in the static page: their links and their kept answers.

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
  }

  /** Show a scene, and the page with its settings. */
  scene(number) {
    const search = new URLSearchParams({ lecture: "1", scene: number }).toString();
    const { link, loaded, notice } = readLink("?" + search, this.site.link, this.site.models.models);
    this.deliver("lecture/lecture", this.#scene(number));
    this.#showModels({ link, loaded, notice, scene: number });
  }

  /** Show the answer of a scene. */
  async reveal(number) {
    this.deliver("lecture/lecture", await this.readJson(`kept/scene-${number}.bin`));
  }

  #scene(number) {
    return number ? this.site.scenes[number - 1] : { at: 0 };
  }

  #showModels({ loaded, ...more }) {
    this.deliver("sidebar/sidebar", { ...this.site.models, chosen: loaded, ...more });
  }
}
