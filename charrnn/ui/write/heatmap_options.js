// Options of the heatmap: view, value or change, row order. Buttons, or a list if names are long.

import { create } from "../components/create_element.js";
import { nameOf, symbol } from "./captions.js";

const MAX_BUTTONS = 8;

export class HeatmapOptions {
  /** `on` has a callback for each option: shown(name), changed(yes), ordered(order). */
  constructor(element, on) {
    const $ = (selector) => element.querySelector(selector);
    this.group = $(".cr-shown");
    this.list = $(".cr-shown-list");
    this.change = $(".cr-change");
    this.offered = "";
    this.group.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (button) on.shown(this.mark(button.dataset.value));
    });
    this.list.addEventListener("change", () => on.shown(this.mark(this.list.value)));
    this.change.addEventListener("click", () => {
      const yes = this.change.getAttribute("aria-pressed") !== "true";
      this.change.setAttribute("aria-pressed", String(yes));
      on.changed(yes);
    });
    const orders = $(".cr-orders");
    orders.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (!button) return;
      press(orders, button);
      on.ordered(button.dataset.value);
    });
  }

  /** Offer the views of this model, and mark the current one. */
  show({ model, view }) {
    const offered = model.views.join();
    if (offered !== this.offered) this.offer(model.views);
    this.offered = offered;
    this.mark(view.name);
  }

  offer(names) {
    const asButtons = names.length <= MAX_BUTTONS;
    this.group.hidden = !asButtons || names.length < 2;
    this.list.hidden = asButtons;
    const button = (name) => {
      const ariaLabel = nameOf(name) + " " + symbol(name);
      return create("button", { type: "button", title: nameOf(name), ariaLabel, dataset: { value: name } }, symbol(name));
    };
    this.group.replaceChildren(...names.map(button));
    this.list.replaceChildren(...names.map((name) => new Option(nameOf(name) + "  " + symbol(name), name)));
  }

  mark(name) {
    press(this.group, [...this.group.children].find((button) => button.dataset.value === name));
    this.list.value = name;
    this.change.textContent = "Δ" + symbol(name);
    return name;
  }
}

function press(group, pressed) {
  for (const button of group.children) button.setAttribute("aria-pressed", String(button === pressed));
}
