// Text, settings and place outlive the page: when its server is gone it opens anew, as soon as one answers, here or at
// another process. kept.js sends the text to whoever that is; the rest is put back here.

import { page } from "../page.js";
import { address } from "./share.js";

const PAGE = "charrnn-page";
const TEXT = "charrnn-text";
const BOXES = "input:not([type=range]), textarea:not([readonly])"; // the sliders go by the address
const OF_TEXT = ["prompt", "read", "seed", "characters", "edits", "sha"]; // what of an address these two say themselves

/** Where the page stands, without its text: opening it shows the same models, tab and view. */
function place(request) {
  const here = new URL(address({ ...request, edits: [], read: undefined }));
  for (const name of OF_TEXT) here.searchParams.delete(name);
  return here.href;
}

/** What writes on by itself is paused; a text that was asked for and has not begun leaves the one before as it was. */
function textOf({ record, told }, request) {
  const { prompt, seed, span, limit, edits, writers, view, model } = record;
  const stands = page.state === "writing" ? told : page.state;
  const state = stands === "writing" ? "paused" : stands;
  const checkpoint = { name: model.name, step: model.step };
  return { ...request, checkpoint, text: record.characters.join(""), prompt, seed, span, limit, edits, writers, view: view.name, state };
}

/** Returns what keeps everything for the page that comes after this one, and what puts it back there. */
export function keeping(element, request, share) {
  let first = null; // the address that the visitor gave; null while there is nothing to keep
  let recipe = null; // what Copy link would say of the text

  function keepBoxes() {
    const boxes = [...element.querySelectorAll(BOXES)].map((box) => [box.id, box.type === "checkbox" ? box.checked : box.value]);
    sessionStorage.setItem(PAGE, JSON.stringify({ first, boxes, recipe }));
  }

  function keep() {
    if (!page.live?.record || first !== null) return;
    [first, recipe] = [location.href, share.recipe()];
    try {
      keepBoxes();
      sessionStorage.setItem(TEXT, JSON.stringify(textOf(page.live, request())));
      history.replaceState(history.state, "", place(request()));
    } catch {
      first = null; // a browser that allows no storage opens the page as it was first opened
    }
  }

  /** Whether there was something to put back. */
  function restore() {
    let kept = null;
    try {
      kept = JSON.parse(sessionStorage.getItem(PAGE));
      sessionStorage.removeItem(PAGE);
      sessionStorage.removeItem(TEXT);
    } catch {
      return false;
    }
    if (!kept) return false;
    for (const [id, value] of kept.boxes) {
      const box = document.getElementById(id);
      if (!box) continue;
      box[box.type === "checkbox" ? "checked" : "value"] = value;
      box.dispatchEvent(new Event("input"));
    }
    history.replaceState(history.state, "", kept.first);
    if (kept.recipe) share.began(true, kept.recipe.read);
    return true;
  }

  page.on("lost", keep);
  page.on("forgotten", () => {
    keep();
    location.reload();
  });
  addEventListener("pagehide", () => page.lost && first !== null && keepBoxes()); // and what was typed in the meantime
  return restore;
}
