// What stands around the heatmap: its title, its scale, how to read it, and whose states it shows.

const SEE = {
  h: {
    similarity: "Units that behave alike stand together: broad bands switch as one; a column that differs from its neighbours is a character that sets the state anew, often a space or a line end.",
    index: "Each row is one unit in the order of the weights, each column one character. Order by similarity to see patterns.",
    activity: "The units that change most stand at the top, the ones that hardly move at the bottom.",
  },
  change: {
    similarity: "What each character changed: pale means kept, full colour means a unit turned over. Units that behave alike stand together.",
    index: "What each character changed: pale means kept, full colour means a unit turned over.",
    activity: "What each character changed. Pale rows at the bottom are units that remember; the top ones follow every character.",
  },
};

/** Write the captions for what the heatmap shows, in this order of its rows. */
export function showCaptions(element, record, map, order) {
  const say = (selector, words) => (element.querySelector(selector).textContent = words);
  const name = map.shown === "h" ? "hidden state h" : "change of the hidden state Δh";
  const range = map.shown === "h" ? "1" : "2";
  say(".cr-map-title", name + ", " + record.units + " units, last " + map.columns + " characters");
  say(".cr-see", SEE[map.shown][order]);
  say(".cr-least", "−" + range);
  say(".cr-most", "+" + range);
  say(".cr-source", record.model.title + ", step " + record.model.step + " · " + record.model.sha256.slice(0, 7));
}
