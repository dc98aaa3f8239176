// Counts characters as code points, as Python does. JavaScript counts most emoji as two.

/** Split a text around the character at `index`: [before, character, after]; "" beyond the end. */
export function splitAround(text, index) {
  const characters = Array.from(text);
  return [characters.slice(0, index).join(""), characters[index] ?? "", characters.slice(index + 1).join("")];
}

/** Count the characters of a text. */
export const countCharacters = (text) => Array.from(text).length;
