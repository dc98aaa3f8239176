// A button that switches to a network with the cell that a part needs.

import { navigate } from "../components/navigate.js";

/** Offer another network, {name, title}, or none, in this part. */
export function offerNetwork(button, other, part) {
  button.hidden = !other;
  if (!other) return;
  button.textContent = "Switch to " + other.title;
  button.onclick = () => navigate({ model: other.name, part });
}
