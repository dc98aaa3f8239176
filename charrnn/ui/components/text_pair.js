// Two texts side by side, with their first difference.

import { cutAt } from "./code_points.js";
import { create } from "./create_element.js";
import { fill, visible } from "./page_state.js";

function written(title, prompt, text, at) {
  const place = create("div", { className: "cr-written", tabIndex: 0, dir: "auto", role: "group", ariaLabel: "The text of " + title });
  const piece = (name, content, tag = "span") => {
    const span = fill(create(tag, name), content);
    place.append(span);
    return span;
  };
  piece("cr-given", prompt);
  if (at === null) {
    piece("cr-common", text);
  } else {
    const [before, character, after] = cutAt(text, at);
    piece("cr-common", before);
    const mark = piece("", character, "mark");
    mark.title = "here they part: " + visible(character);
    mark.dataset.sign = character === "\n" ? "⏎" : "";
    piece("cr-after", after);
  }
  return create("section", "cr-writer", create("h3", {}, title), place);
}

/** Return a function that shows the texts of an answer in this box, or hides it without any. */
export function createTextPair(box) {
  return ({ texts, prompt, divergence }, titles) => {
    box.hidden = !texts;
    if (!texts) return;
    const at = divergence ? divergence.at : null;
    const scrolled = [...box.querySelectorAll(".cr-written")].map((place) => place.scrollTop);
    box.replaceChildren(...texts.map((text, i) => written(titles[i], prompt, text, at)));
    box.querySelectorAll(".cr-written").forEach((place, i) => (place.scrollTop = scrolled[i] || 0));
  };
}
