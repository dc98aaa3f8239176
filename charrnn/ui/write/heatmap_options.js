// Options of the heatmap: view, value or change, row order. The views are buttons, or a list if there are many.

import { create } from "../components/create_element.js";
import { viewName, symbol } from "./heatmap_captions.js";

const MAX_BUTTONS = 8;

export class HeatmapOptions {
  /** onView(name), onChange(isChange), onOrder(order): called when the user sets an option. */
  constructor(element, { onView, onChange, onOrder }) {
    const $ = (selector) => element.querySelector(selector);
    this.group = $(".cr-shown");
    this.list = $(".cr-shown-list");
    this.change = $(".cr-change");
    this.group.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (button) onView(this.mark(button.dataset.value));
    });
    this.list.addEventListener("change", () => onView(this.mark(this.list.value)));
    this.change.addEventListener("click", () => {
      const isChange = this.change.getAttribute("aria-pressed") !== "true";
      this.change.setAttribute("aria-pressed", String(isChange));
      onChange(isChange);
    });
    const orders = $(".cr-orders");
    orders.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (!button) return;
      press(orders, button);
      onOrder(button.dataset.value);
    });
  }

  /** Offer the views of this model, and mark the current one. */
  show({ model, view }) {
    if ([...this.list.options].map((option) => option.value).join() !== model.views.join()) this.offer(model.views);
    this.mark(view.name);
  }

  offer(names) {
    const asButtons = names.length <= MAX_BUTTONS;
    this.group.hidden = !asButtons || names.length < 2;
    this.list.hidden = asButtons;
    const button = (name) => {
      const ariaLabel = viewName(name) + " " + symbol(name);
      return create("button", { type: "button", title: viewName(name), ariaLabel, dataset: { value: name } }, symbol(name));
    };
    this.group.replaceChildren(...names.map(button));
    this.list.replaceChildren(...names.map((name) => new Option(viewName(name) + "  " + symbol(name), name)));
  }

  /** Mark a view as the current one; returns its name. */
  mark(name) {
    press(this.group, [...this.group.children].find((button) => button.dataset.value === name));
    this.list.value = name;
    this.change.textContent = "changes Δ" + symbol(name);
    return name;
  }
}

/** Set the pressed button of a group. */
function press(group, pressed) {
  for (const button of group.children) button.setAttribute("aria-pressed", String(button === pressed));
}
