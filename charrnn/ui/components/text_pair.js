// Two texts side by side, with their first difference.

import { cutAt } from "./code_points.js";
import { fill, visible } from "./page_state.js";

function written(title, prompt, text, at) {
  const section = document.createElement("section");
  section.className = "cr-writer";
  const head = document.createElement("h3");
  head.textContent = title;
  const place = document.createElement("div");
  place.className = "cr-written";
  place.tabIndex = 0;
  place.dir = "auto";
  place.setAttribute("role", "group");
  place.setAttribute("aria-label", "The text of " + title);
  const piece = (name, content, tag = "span") => {
    const span = document.createElement(tag);
    span.className = name;
    place.append(fill(span, content));
    return span;
  };
  piece("cr-given", prompt);
  if (at === null) {
    piece("cr-common", text);
  } else {
    const [before, character, after] = cutAt(text, at);
    piece("cr-common", before);
    const mark = piece("cr-parted", character, "mark");
    mark.title = "here they part: " + visible(character);
    mark.dataset.sign = character === "\n" ? "⏎" : "";
    piece("cr-after", after);
  }
  section.append(head, place);
  return section;
}

/** Return a function that shows the texts of an answer in this box, or hides it without any. */
export function createTextPair(box) {
  return ({ texts, prompt, parting }, titles) => {
    box.hidden = !texts;
    if (!texts) return;
    const at = parting ? parting.at : null;
    const scrolled = [...box.querySelectorAll(".cr-written")].map((place) => place.scrollTop);
    box.replaceChildren(...texts.map((text, i) => written(titles[i], prompt, text, at)));
    box.querySelectorAll(".cr-written").forEach((place, i) => (place.scrollTop = scrolled[i] || 0));
  };
}
