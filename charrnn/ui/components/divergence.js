// First difference of two texts: the random draw across both cumulative bars, and both distributions in draw order.

import { quoted, visible } from "./page_state.js";

const MIN_LABELLED_SHARE = 0.025; // of a bar; thinner segments have no room for their character
const percent = (p) => (100 * p).toFixed(2) + "%";

function part(tag, className, content = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = content;
  return made;
}

/** Segments of the remaining characters in draw order; the drawn character and the other model's are marked. */
function bar(side, title, u) {
  const row = part("div", "cr-bar-row");
  const track = part("div", "cr-cumulative");
  const { character, low, high } = side.drawn;
  track.setAttribute("role", "img");
  const pieceAt = `${quoted(character)} from ${low.toFixed(4)} to ${high.toFixed(4)}`;
  track.setAttribute("aria-label", `Cumulative bar of ${title}: ${pieceAt}; u = ${u.toFixed(4)}`);
  let end = 0;
  for (const [sign, p] of side.pieces) {
    const piece = part("i", "", p >= MIN_LABELLED_SHARE ? visible(sign) : "");
    piece.style.width = 100 * p + "%";
    piece.title = `${visible(sign)} ${percent(p)}, from ${end.toFixed(4)} to ${(end + p).toFixed(4)}`;
    if (sign === character) {
      piece.className = "cr-fallen";
      piece.style.textAlign = u > (low + high) / 2 ? "left" : "right"; // keep the label off the line of the draw
    }
    piece.classList.toggle("cr-others", sign === side.other);
    track.append(piece);
    end += p;
  }
  if (side.pieces.every(([sign]) => sign !== character)) {
    const thin = part("i", "cr-fallen cr-thin"); // drawn, but too unlikely for a segment of its own
    thin.style.left = 100 * low + "%";
    thin.style.width = 100 * (high - low) + "%";
    track.append(thin);
  }
  row.append(part("b", "", title.slice(0, 1)), track);
  return row;
}

function list(side, title, otherName) {
  const section = part("section", "cr-list");
  const stay = side.kept === side.of ? `all ${side.of} characters` : `${side.kept} of ${side.of} characters stay`;
  section.append(part("h3", "", title), part("p", "cr-stay", `in the order of the draw, ${stay}`));
  const rows = part("ol", "cr-ranks");
  const most = Math.max(...side.rows.map((row) => row.p), 1e-12);
  for (const row of side.rows) {
    const item = part("li", row.cut ? "cr-gone" : "");
    const drawn = row.character === side.drawn.character;
    const note = drawn ? "◀ u" : row.character === side.other ? `${otherName} drew it` : "";
    item.classList.toggle("cr-fallen", drawn);
    const track = part("span", "cr-length");
    const fill = part("i", "");
    fill.style.width = (100 * row.p) / most + "%";
    track.append(fill);
    item.title = row.cut ? "cut by a filter" : `from ${row.from.toFixed(4)} to ${(row.from + row.p).toFixed(4)} of the bar`;
    const parts = [part("span", "cr-rank", row.rank + 1 + "."), part("span", "cr-letter", visible(row.character))];
    item.append(...parts, track, part("span", "cr-chance", row.cut ? "cut" : percent(row.p)), part("span", "cr-told", note));
    rows.append(item);
  }
  section.append(rows);
  return section;
}

/** Return a function that shows the first difference in this box, or hides it without one. */
export function createDivergence(box) {
  const bars = box.querySelector(".cr-bars");
  const lists = box.querySelector(".cr-lists");
  let shown = "";

  return (parting, titles) => {
    box.hidden = !parting;
    const now = JSON.stringify([parting, titles]);
    if (!parting || now === shown) return;
    shown = now;
    const { u, digits, sides } = parting;
    const needle = part("div", "cr-die");
    const place = part("div", "cr-die-place");
    const label = part("span", "cr-die-label", "u = " + u.toFixed(digits));
    place.style.left = 100 * u + "%";
    label.style.transform = `translateX(${-100 * u}%)`;
    place.append(label);
    needle.append(place);
    bars.replaceChildren(needle, ...sides.map((side, i) => bar(side, titles[i], u)));
    lists.replaceChildren(...sides.map((side, i) => list(side, titles[i], titles[1 - i].slice(0, 1))));
  };
}
