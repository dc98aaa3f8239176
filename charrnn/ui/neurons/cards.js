// Cards of the units that track a concept best: two lines of text colored by the unit, and its score beside untrained networks.

import { ColorScale } from "../components/color_scale.js";
import { characterSpan } from "../components/colored_text.js";
import { create } from "../components/create_element.js";
import { onTheme } from "../components/page_state.js";

/** Create a score on a scale from chance to perfect; the places are shares of it. */
function scoreTrack({ band, needed, ends: [low, high], dot }) {
  const track = create("span", "cr-scores", ...Array.from({ length: 4 }, () => create("i")));
  for (const [name, place] of Object.entries({ band, needed, low, high, dot })) track.style.setProperty("--" + name, place);
  return track;
}

/** Create a line of text; its characters are colored later. */
function coloredLine({ text, levels, marked }) {
  const spans = Array.from(text, (character, i) => {
    const span = characterSpan(character, i);
    span.level = levels[i];
    span.classList.toggle("cr-holds", !!marked[i]);
    return span;
  });
  return create("span", { className: "cr-card-line", dir: "auto" }, ...spans);
}

/** Return {show, mark} of the cards in this box; pick(view, unit): called for a pressed card. */
export function createCards(box, pick) {
  let cards = [];
  let selected = null;

  function button(card) {
    const head = create("span", "cr-card-head", create("b", {}, card.title), create("span", {}, card.found ? `unit ${card.unit} of ${card.view}` : "no unit"));
    const lines = create("span", "cr-card-lines", ...card.lines.map(coloredLine));
    const score = create("span", "cr-card-score", card.score, create("span", {}, `untrained ${card.untrained}`));
    const onclick = () => pick(card.view, card.unit);
    return create("button", { type: "button", className: "cr-card", ariaLabel: card.label, translate: false, onclick }, head, lines, scoreTrack(card), score);
  }

  function color() {
    if (!cards.length) return;
    const palette = new ColorScale(box);
    for (const span of box.querySelectorAll(".cr-card-line span")) {
      span.style.background = palette.fills[span.level + 127];
      span.style.color = palette.letter;
    }
  }

  /** Mark the card of the selected unit. */
  function mark() {
    [...box.children].forEach((element, i) => (element.ariaPressed = cards[i].view === selected?.view && cards[i].unit === selected.unit));
  }

  onTheme(color);
  return {
    show(shown) {
      const focused = [...box.children].indexOf(document.activeElement);
      cards = shown;
      box.replaceChildren(...cards.map(button));
      if (focused >= 0) box.children[focused]?.focus();
      color();
      mark();
    },
    mark(unit) {
      selected = unit;
      mark();
    },
  };
}
