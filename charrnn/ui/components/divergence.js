// The first difference of two texts: the random draw across both cumulative bars, and both distributions in draw order.

import { create } from "./create_element.js";
import { percent } from "./number_format.js";
import { quoted, visible } from "./page_state.js";

const MIN_LABELED_SHARE = 0.025; // of a bar; thinner segments have no room for their character

/** Explain the difference in a sentence; names: of both texts. */
export function describeDivergence({ at, u, digits, sides }, names) {
  const openings = ["They differ from the first character on", "The first character is the same"];
  const opening = openings[at] ?? `The first ${at.toLocaleString("en")} characters are the same`;
  const [a, b] = sides.map(({ drawn: { character, low, high } }, i) => `${quoted(character)} in ${names[i]} (${low.toFixed(digits)} to ${high.toFixed(digits)})`);
  return `${opening}. Then the random number ${u.toFixed(digits)} lands on ${a} and on ${b}.`;
}

/** Create a bar: a segment per remaining character in draw order, with the drawn one and the other model's marked. */
function bar(side, title, u) {
  const track = create("div", "cr-cumulative");
  const { character: drawn, low, high } = side.drawn;
  const interval = `${quoted(drawn)} from ${low.toFixed(4)} to ${high.toFixed(4)}`;
  Object.assign(track, { role: "img", ariaLabel: `Cumulative bar of ${title}: ${interval}; u = ${u.toFixed(4)}` });
  let end = 0;
  for (const [character, p] of side.pieces) {
    const segment = create("i", "", p >= MIN_LABELED_SHARE ? visible(character) : "");
    segment.style.width = 100 * p + "%";
    segment.title = `${visible(character)} ${percent(p, 2)}, from ${end.toFixed(4)} to ${(end + p).toFixed(4)}`;
    if (character === drawn) {
      segment.className = "cr-landed";
      segment.style.textAlign = u > (low + high) / 2 ? "left" : "right"; // keep the label off the line of the draw
    }
    segment.classList.toggle("cr-others", character === side.other);
    track.append(segment);
    end += p;
  }
  if (side.pieces.every(([character]) => character !== drawn)) {
    // too unlikely for a segment of its own
    track.append(create("i", { className: "cr-landed cr-thin", style: `left: ${100 * low}%; width: ${100 * (high - low)}%` }));
  }
  return create("div", "cr-bar-row", create("b", {}, title.slice(0, 1)), track);
}

/** Create the list of the most probable characters of a model. */
function list(side, title, otherName) {
  const section = create("section", "cr-list");
  const filtered = side.kept === side.of ? "" : `; the filters keep ${side.kept}`;
  section.append(create("h3", "", title), create("p", "cr-remaining-count", `the likeliest of ${side.of} characters, and the two drawn${filtered}`));
  const ranks = create("ol", { className: "cr-ranks", translate: false });
  const largest = Math.max(...side.rows.map((row) => row.p), 1e-12);
  for (const row of side.rows) {
    const item = create("li", row.cut ? "cr-cut" : "");
    const drawn = row.character === side.drawn.character;
    const note = drawn ? "◀ u" : row.character === side.other ? `${otherName} took this one` : "";
    item.classList.toggle("cr-landed", drawn);
    const track = create("span", "cr-length", create("i", { style: `width: ${(100 * row.p) / largest}%` }));
    item.title = row.cut ? "cut by a filter" : `from ${row.from.toFixed(4)} to ${(row.from + row.p).toFixed(4)} of the bar`;
    const parts = [create("span", "cr-rank", row.rank + 1 + "."), create("span", "cr-letter", visible(row.character))];
    item.append(...parts, track, create("span", "cr-chance", row.cut ? "cut" : percent(row.p, 2)), create("span", "cr-rank-note", note));
    ranks.append(item);
  }
  section.append(ranks);
  return section;
}

/** Return a function that shows the first difference in this box, or hides it without one. */
export function createDivergence(box) {
  const bars = box.querySelector(".cr-bars");
  const lists = box.querySelector(".cr-lists");
  let shown = "";

  return (divergence, titles) => {
    box.hidden = !divergence;
    const key = JSON.stringify([divergence, titles]);
    if (!divergence || key === shown) return;
    shown = key;
    const { u, digits, sides } = divergence;
    const label = create("span", { className: "cr-u-label", style: `transform: translateX(${-100 * u}%)` }, "u = " + u.toFixed(digits));
    const needle = create("div", { className: "cr-u-place", style: `left: ${100 * u}%` }, label);
    bars.replaceChildren(create("div", "cr-u-line", needle), ...sides.map((side, i) => bar(side, titles[i], u)));
    lists.replaceChildren(...sides.map((side, i) => list(side, titles[i], titles[1 - i].slice(0, 1))));
  };
}
