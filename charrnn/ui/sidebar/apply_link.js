// Applies a share link, already validated by the server, to the page.

import { openTab } from "../components/navigate.js";
import { selectUnit } from "../components/unit_selection.js";
import { page } from "../components/page_state.js";

/** Return a function that applies a link; `showSettings` moves the sliders. */
export function createLinkHandler(element, showSettings) {
  const $ = (selector) => element.querySelector(selector);

  return (link) => {
    if (!link) return;
    for (const name of Object.keys(page.settings)) page.settings[name] = link[name];
    showSettings();
    for (const name of ["seed", "characters", "prompt"]) $("#cr-" + name).value = link[name];
    const { min_p, seed, characters } = page.defaults;
    if (link.min_p !== min_p || link.seed !== seed || link.characters !== characters) $(".cr-more").open = true;
    page.hidden = link.hide || [];
    if (link.read) {
      $("#cr-passage").value = page.scoredText = link.read;
      page.emit("score-text");
    }
    if (link.tick) {
      page.selectedModels = link.tick;
      page.emit("selection-changed");
    }
    if (link.unit) selectUnit(...link.unit);
    if (link.clamp) {
      page.clamps = link.clamp.map(([name, unit, value]) => ({ name, unit, value }));
      page.clampsOf = page.checkpoint?.name;
      page.emit("clamps");
    }
    if (link.knob !== undefined) {
      page.recurrentScale = link.knob;
      page.emit("recurrent-scale");
    }
    openTab(link.tab);
    whenReady(() => arrange(link));
  };
}

/** Set change or value, row order and visible rows, which exist only in the page. */
function arrange({ change, rows, range }) {
  if (change !== undefined && page.live.map.change !== change) document.querySelector(".cr-change").click();
  if (rows) document.querySelector(`.cr-orders [data-value="${rows}"]`).click();
  if (range) page.live.look({ first: range[0] - 1, last: range[1] - 1 });
}

/** Call `act` as soon as the live view has a text. */
export function whenReady(act) {
  if (page.live?.record) act();
  else requestAnimationFrame(() => whenReady(act));
}
