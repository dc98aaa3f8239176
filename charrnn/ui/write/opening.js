// The sentence above the text that the page opens on, shown while that text is on the page, and three things to try.

import { page } from "../components/page_state.js";
import { session } from "../session/page_session.js";
import { isEqual, NO_INTERVENTIONS } from "../session/session.js";

/** Set up the view; returns a function that takes the opening, see server/opening.py. */
export function mount({ element }) {
  const $ = (selector) => element.querySelector(selector);
  const box = $(".cr-opening");
  let opening = null;

  /** Check if the page has the text that `opening` is about, from the same prompt, draws and network. */
  function isOpeningText() {
    const { recipe, text, view, checkpoint } = session;
    const { prompt, seed, ...defaults } = page.defaults ?? {};
    if (!recipe || text.edits.size || text.seed !== seed || view !== opening.view) return false;
    const settings = Object.fromEntries(Object.keys(recipe.settings).map((name) => [name, defaults[name]]));
    const expected = [opening.prompt, settings, opening.checkpoint, opening.checkpoint, NO_INTERVENTIONS];
    return isEqual([recipe.prompt, recipe.settings, recipe.checkpoint, checkpoint, session.interventions], expected);
  }

  function update() {
    const isShown = opening !== null && isOpeningText();
    const appears = isShown && box.hidden;
    box.hidden = !isShown;
    if (!appears) return;
    whenDrawn(() => {
      page.emit("color-by-unit", { unit: opening.unit, position: null });
      document.querySelector(".cr-text").scrollTop = 0; // a text is read from its start
    });
  }

  /** Act when the text of the network is on the page, unless another one takes its place. */
  function whenDrawn(act) {
    if (box.hidden) return;
    if (page.live?.record?.view.name === opening.view && page.live.drawn > page.live.record.prompt) act();
    else requestAnimationFrame(() => whenDrawn(act));
  }

  /** Open the choice of another letter where the second written word begins. */
  function changeLetter() {
    const { record, drawn } = page.live;
    const space = record.characters.indexOf(" ", record.prompt);
    const position = space < 0 || space + 1 >= drawn ? record.prompt : space + 1;
    page.live.showAlternatives(position);
  }

  $(".cr-opening-untrained").addEventListener("click", () => {
    document.querySelector(".cr-text").focus(); // this button disappears
    page.emit("step-requested", 0);
  });
  $(".cr-opening-letter").addEventListener("click", changeLetter);
  $(".cr-opening-own").addEventListener("click", () => page.emit("own-text-requested"));
  session.onMessage(update);

  return (value) => {
    opening = JSON.parse(value);
    [$(".cr-opening-words").textContent, $(".cr-opening-measured").textContent] = opening.words;
    $(".cr-opening-untrained").hidden = !opening.untrained;
    update();
  };
}
