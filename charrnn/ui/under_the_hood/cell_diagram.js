// The diagram of a step. A box highlights the lines of code that compute it, and shows the number of the chosen unit.

import { create } from "../components/create_element.js";

/** Show diagrams in this box; blocks: of source_lines.js. Returns {show, showUnit}: show(columns) draws one. */
export function createDiagram(box, blocks) {
  let buttons = []; // [button, part] of each box

  function highlight(part) {
    for (const [button, own] of buttons) button.ariaPressed = String(own === part);
    blocks.highlight(part);
  }

  function showUnit() {
    for (const [button, part] of buttons) button.querySelector(".cr-box-number").textContent = blocks.numberOf(part);
  }

  return {
    show(columns = []) {
      const pressed = buttons.find(([button]) => button.ariaPressed === "true")?.[1].label;
      buttons = [];
      box.hidden = !columns.length;
      const nodes = columns.map((parts) => create("li", {}, ...parts.map((part) => {
        const label = create("span", "cr-box-label", create("b", {}, part.label), " ", create("span", "cr-box-number"), " ");
        const button = create("button", { type: "button" }, label, create("span", "cr-box-words", part.words));
        button.addEventListener("click", () => highlight(button.ariaPressed === "true" ? null : part));
        buttons.push([button, part]);
        return button;
      })));
      box.replaceChildren(...nodes);
      highlight(buttons.map(([, part]) => part).find((part) => part.label === pressed) ?? null);
      showUnit();
    },
    showUnit,
  };
}
