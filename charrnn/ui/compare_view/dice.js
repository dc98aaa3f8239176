// Two texts written with the same dice, side by side, and where they part.

import { asking } from "../asking.js";
import { visible } from "../page.js";
import { partingIn } from "./parting.js";
import { sidesIn } from "./sides.js";

/** Set up the view; returns what takes the server's answers. */
export function mount({ element, send }) {
  const form = element.querySelector("form");
  const words = element.querySelector(".cr-plot-words");
  const box = element.querySelector(".cr-writers");
  const sides = sidesIn(form, true);
  const showParting = partingIn(element.querySelector(".cr-parting"));
  let titles = [];

  const said = () => ({
    ...sides.said(),
    seed: form.elements.seed.valueAsNumber,
    characters: form.elements.characters.valueAsNumber,
    prompt: form.elements.prompt.value,
  });
  const view = asking({ element, send, request: () => ({ form: said() }), asked: () => (words.textContent = "Writing …") });
  const ask = () => form.reportValidity() && view.ask();

  form.addEventListener("change", ask);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  element.querySelector(".cr-other-dice").addEventListener("click", () => {
    const seed = form.elements.seed;
    seed.value = (seed.valueAsNumber || 0) + 1;
    ask();
  });

  function written(title, prompt, text, at) {
    const section = document.createElement("section");
    section.className = "cr-writer";
    const head = document.createElement("h3");
    head.textContent = title;
    const place = document.createElement("div");
    place.className = "cr-written";
    place.tabIndex = 0;
    place.setAttribute("role", "group");
    place.setAttribute("aria-label", "The text of " + title);
    const piece = (name, content, tag = "span") => {
      const span = document.createElement(tag);
      span.className = name;
      span.textContent = content;
      place.append(span);
      return span;
    };
    piece("cr-given", prompt);
    if (at === null) {
      piece("cr-common", text);
    } else {
      piece("cr-common", text.slice(0, at));
      const mark = piece("cr-parted", text[at], "mark");
      mark.title = "here they part: " + visible(text[at]);
      mark.dataset.sign = text[at] === "\n" ? "⏎" : "";
      piece("cr-after", text.slice(at + 1));
    }
    section.append(head, place);
    return section;
  }

  return (value) => {
    const answer = view.answered(value);
    if (!answer) return;
    words.textContent = answer.words;
    sides.offer(answer);
    titles = answer.titles || titles;
    box.hidden = !answer.texts;
    showParting(answer.parting, titles);
    if (!answer.texts) return;
    const at = answer.parting ? answer.parting.at : null;
    const scrolled = [...box.querySelectorAll(".cr-written")].map((place) => place.scrollTop);
    box.replaceChildren(...answer.texts.map((text, i) => written(titles[i], answer.prompt, text, at)));
    box.querySelectorAll(".cr-written").forEach((place, i) => (place.scrollTop = scrolled[i] || 0));
  };
}
