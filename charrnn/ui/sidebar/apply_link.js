// Applies a share link, which the server has validated, to the page.

import { openTab } from "../components/navigate.js";
import { selectUnit } from "../components/unit_selection.js";
import { page, whenReady } from "../components/page_state.js";

const OF_COMPARE = /^(a|b|ab)(_|$)/; // parameters of the tab Compare

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
    if (link.unit) selectUnit(...link.unit);
    page.comparison = Object.fromEntries(Object.entries(link).filter(([name]) => OF_COMPARE.test(name)));
    page.emit("comparison-linked");
    applySettings(link);
    openTab(link.tab);
    whenReady(() => {
      arrangeHeatmap(link);
      if (link.color) page.live.color(link.color);
    });
  };
}

/** Apply the selection, the clamps (null for none) and the recurrent scale of a link or a scene. */
export function applySettings({ tick, clamp, knob }) {
  if (tick) {
    page.selectedModels = tick;
    page.emit("selection-changed");
  }
  if (clamp !== undefined) {
    page.clamps = clamp?.map(([name, unit, value]) => ({ name, unit, value })) ?? null;
    page.clampsOf = page.checkpoint?.name;
    page.emit("clamps");
  }
  if (knob !== undefined) {
    page.recurrentScale = knob;
    page.emit("recurrent-scale");
  }
}

/** Set the options of the heatmap that exist only in the page: change or value, row order, visible rows. */
function arrangeHeatmap({ change, rows, range }) {
  if (change !== undefined && page.live.map.change !== change) document.querySelector(".cr-change").click();
  if (rows) document.querySelector(`.cr-orders [data-value="${rows}"]`).click();
  if (range) page.live.showRows({ first: range[0] - 1, last: range[1] - 1 });
}
