// The sentence above the text, and three things to try. Texts of the network that the page opens on have their own sentences.

import { setText } from "../components/create_element.js";
import { page } from "../components/page_state.js";
import { session } from "../session/page_session.js";
import { isEqual, NO_INTERVENTIONS } from "../session/session.js";

const WRITES = "A small neural network writes this text, one letter at a time.";
const READS = "A small neural network has read this text, one letter at a time.";

/** Set up the view; returns a function that takes the opening, see server/opening.py. */
export function mount({ element }) {
  const $ = (selector) => element.querySelector(selector);
  const box = $(".cr-opening");
  const steps = $(".cr-opening-untrained");
  let opening = null;

  /** Check if the page has the text that `opening` is about, from the same prompt, draws and network. */
  function isOpeningText() {
    const { recipe, text, checkpoint } = session;
    const { prompt, seed, ...defaults } = page.defaults ?? {};
    if (!recipe || text.edits.size || text.seed !== seed) return false;
    const settings = Object.fromEntries(Object.keys(recipe.settings).map((name) => [name, defaults[name]]));
    const expected = [opening.prompt, settings, opening.checkpoint, opening.checkpoint, NO_INTERVENTIONS];
    return isEqual([recipe.prompt, recipe.settings, recipe.checkpoint, checkpoint, session.interventions], expected);
  }

  /** Check if the page has a text of the network and the view that `opening` is about. */
  function isOfOpening() {
    return opening !== null && session.checkpoint?.name === opening.checkpoint.name && session.view === opening.view;
  }

  /** Describe another text of the network. */
  function describeOther(step) {
    const color = `the colour “unit ${opening.unit}” shows whether it counts along the line`;
    if (step === 0) return "Untrained: the same network before its first training step. It has learned nothing yet, neither to spell nor to count.";
    if (step < opening.checkpoint.step) return `The same network after ${step.toLocaleString("en")} training steps: ${color} yet.`;
    const { isRead, edits } = session.text;
    const what = isRead ? "Your text, read by the same network" : edits.size ? "You chose a letter, and the network wrote on" : "Another text by the same network";
    return `${what}: ${color} here too.`;
  }

  let isFirst = false; // the opening's text is on the page
  function update() {
    const wasFirst = isFirst;
    box.hidden = session.state === "empty";
    isFirst = !box.hidden && isOfOpening() && isOpeningText();
    if (box.hidden) return;
    $(".cr-opening-letter").hidden = session.text.isRead;
    if (!isOfOpening()) {
      setText($(".cr-opening-words"), session.text.isRead ? READS : WRITES);
      $(".cr-opening-measured").hidden = steps.hidden = true;
      return;
    }
    const { step } = session.checkpoint;
    const isTrained = step === opening.checkpoint.step;
    setText($(".cr-opening-words"), isFirst ? opening.words[0] : describeOther(step));
    $(".cr-opening-measured").hidden = !isFirst;
    steps.hidden = isTrained && !opening.untrained;
    setText(steps, isTrained ? "See it untrained" : "Back to trained");
    if (!isFirst || wasFirst) return;
    whenDrawn(() => {
      page.emit("color-by-unit", { unit: opening.unit, position: null });
      document.querySelector(".cr-text").scrollTop = 0; // a text is read from its start
    });
  }

  /** Act when the text of the network is on the page, unless another one takes its place. */
  function whenDrawn(act) {
    if (!isFirst) return;
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

  steps.addEventListener("click", () => {
    const { step } = opening.checkpoint;
    page.emit("step-requested", session.checkpoint.step === step ? 0 : step);
  });
  $(".cr-opening-letter").addEventListener("click", changeLetter);
  $(".cr-opening-own").addEventListener("click", () => page.emit("own-text-requested"));
  session.onMessage(update);

  return (value) => {
    opening = JSON.parse(value);
    $(".cr-opening-measured p").textContent = opening.words[1];
    update();
  };
}
