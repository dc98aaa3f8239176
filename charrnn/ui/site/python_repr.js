// Quotes texts in messages as Python does, so that both editions report the same.

/** Quote a text as `repr` does. */
export function repr(text) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const names = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", [quote]: "\\" + quote };
  const escaped = text.replace(/(?! )[\\'"\p{C}\p{Z}]/gu, (character) => {
    const code = character.codePointAt(0).toString(16);
    const [letter, digits] = code.length < 3 ? ["x", 2] : code.length < 5 ? ["u", 4] : ["U", 8];
    return names[character] ?? (/['"]/.test(character) ? character : "\\" + letter + code.padStart(digits, "0"));
  });
  return quote + escaped + quote;
}

/** Quote a text, shortened to 30 characters, as `reprlib.repr` does. */
export function shortRepr(text) {
  const characters = Array.from(text);
  const whole = repr(characters.slice(0, 30).join(""));
  if (Array.from(whole).length <= 30) return whole;
  const ends = Array.from(repr([...characters.slice(0, 13), ...characters.slice(characters.length - 14)].join("")));
  return [...ends.slice(0, 13), "...", ...ends.slice(-14)].join("");
}
