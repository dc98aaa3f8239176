// Two texts side by side, with their first difference.

import { splitAround } from "./code_points.js";
import { create } from "./create_element.js";
import { fill, visible } from "./page_state.js";

/** Create the section of one text, marked at the position of the first difference, if there is one. */
function textSection(title, prompt, text, divergedAt) {
  const box = create("div", { className: "cr-written", tabIndex: 0, dir: "auto", role: "group", ariaLabel: "The text of " + title });
  const append = (className, content, tag = "span") => {
    const part = fill(create(tag, className), content);
    box.append(part);
    return part;
  };
  append("cr-given", prompt);
  if (divergedAt === null) {
    append("cr-common", text);
  } else {
    const [before, character, after] = splitAround(text, divergedAt);
    append("cr-common", before);
    const mark = append("", character, "mark");
    mark.title = "first difference: " + visible(character);
    mark.dataset.sign = character === "\n" ? "⏎" : "";
    append("cr-after", after);
  }
  return create("section", "cr-writer", create("h3", {}, title), box);
}

/** Return a function that shows the texts of an answer in this box, or hides it without any. */
export function createTextPair(box) {
  return ({ texts, prompt, divergence }, titles) => {
    box.hidden = !texts;
    if (!texts) return;
    const scrolled = [...box.querySelectorAll(".cr-written")].map((text) => text.scrollTop);
    box.replaceChildren(...texts.map((text, i) => textSection(titles[i], prompt, text, divergence ? divergence.at : null)));
    const boxes = [...box.querySelectorAll(".cr-written")];
    boxes.forEach((text, i) => {
      text.scrollTop = scrolled[i] || 0;
      text.onscroll = () => {
        if (text.matches(":hover, :focus")) boxes.forEach((other) => (other.scrollTop = text.scrollTop)); // by the user
      };
    });
  };
}
