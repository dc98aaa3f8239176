// The sections of the lab sheet with their answers, links and commands.

import { create } from "../components/create_element.js";
import { navigate, openTab } from "../components/navigate.js";
import { page } from "../components/page_state.js";
import { createViewQuery } from "../components/view_query.js";

/** Return a text as nodes, with `quoted names` as code; a line does not break before a percent sign or around ±. */
function withCode(text) {
  const unbroken = text.replace(/(?<=\d) (?=%)| (?=±)|(?<=±) /g, "\u00a0");
  return unbroken.split("`").map((part, i) => (i % 2 ? create("code", {}, part) : part));
}

/** Follow a link; the browser's Back returns to this place of the lab sheet. */
function follow(target) {
  const sheet = document.querySelector('[role=tab][aria-selected="true"]').textContent.trim();
  history.replaceState({ ...history.state, sheet, top: scrollY }, "");
  history.pushState(null, "");
  navigate(target);
}

addEventListener("popstate", ({ state }) => {
  if (state?.sheet && openTab(state.sheet)) requestAnimationFrame(() => scrollTo(0, state.top));
});

/** Create a link to a view; it says which network it switches to, and which ones the page lacks. */
function linkTo({ text, networks, ...target }) {
  const offered = networks.filter(([name]) => page.models.some((model) => model.name === name));
  const lacking = networks.filter((network) => !offered.includes(network)).map(([, title]) => title);
  const isPart = target.tick && offered.length > 1; // of several curves
  if (lacking.length && !isPart) return create("span", "cr-lacking", `${text}: needs ${lacking.join(" and ")}, not among the networks here`);
  const model = page.models.find(({ name }) => name === target.model && name !== page.checkpoint?.name);
  const effect = model ? create("span", {}, ` (switches to ${model.title})`) : "";
  const without = lacking.length ? create("span", {}, ` (without ${lacking.join(" and ")}, not among the networks here)`) : "";
  return create("button", { type: "button", className: "cr-go", onclick: () => follow(target) }, text, effect, without);
}

/** Create a command that breaks only between its words, not at their hyphens. */
function commandBox(command) {
  const words = command.split(" ").flatMap((word, i) => [i ? " " : "", create("span", {}, word)]);
  return create("code", {}, ...words);
}

function answerBox({ claim, verdict, needed, finding, figure }) {
  const badge = create("b", { className: "cr-verdict", dataset: { verdict } }, needed ? `${verdict}: needs ${needed}` : verdict);
  const box = create("div", "cr-lab-answer", create("p", "cr-claim", badge, " ", ...withCode(claim)), create("p", {}, ...withCode(finding)));
  if (figure) box.append(create("details", "cr-numbers", create("summary", {}, "details"), create("p", {}, ...withCode(figure))));
  return box;
}

function sectionBox({ key, title, answers, links }) {
  const commands = [...new Set(answers.flatMap(({ commands }) => commands))];
  const columns = [
    create("div", {}, ...answers.map(answerBox)),
    create("div", links.length ? { role: "group", ariaLabel: "See it" } : {}, ...links.map(linkTo)),
    create("div", { role: "group", ariaLabel: "Do it yourself" }, ...commands.map(commandBox)),
  ];
  return create("section", "cr-lab-section", create("h3", {}, `${key} · ${title}`), ...columns);
}

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const box = element.querySelector(".cr-lab-sections");
  let shown = [];
  const draw = () => box.replaceChildren(...shown.map(sectionBox));
  for (const event of ["models-changed", "checkpoint-changed"]) page.on(event, draw); // links name the network to which they switch
  const show = ({ sections = [] }) => {
    shown = sections;
    draw();
  };
  return createViewQuery({ element, send, show }).receive;
}
