// Characters as Python counts them, in code points: an index of JavaScript's own strings counts most emoji twice.

/** A text cut where one of its characters stands: [before, character, after]; "" for a character beyond the end. */
export function cutAt(text, index) {
  const characters = Array.from(text);
  return [characters.slice(0, index).join(""), characters[index] ?? "", characters.slice(index + 1).join("")];
}

/** How many characters a text has. */
export const countOf = (text) => Array.from(text).length;
