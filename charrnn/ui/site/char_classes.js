// The class of each character of a text, as in charrnn/char_classes.py.

export const KINDS = [
  "first letter of a line",
  "letter that starts a word",
  "letter within a word",
  "capital in a speaker's name",
  "space",
  "newline",
  "punctuation",
  "digit or other sign",
];
const [LINE_START, WORD_START, WITHIN, SPEAKER, SPACE, NEWLINE, PUNCTUATION, OTHER] = KINDS.keys();
const LETTER = String.raw`[\p{L}\p{Nl}\p{No}]`; // of a word, in Python: [^\W\d_]
const SPEAKER_LINE = new RegExp(String.raw`(?:^|(?<=\n\n))(?![a-z])${LETTER}[^\n:]{0,39}:(?=\n|$)`, "gu");
const WORD = new RegExp(`(?:${LETTER}|')+`, "gu");
const BLANK = /[\t-\r\x1c-\x1f\x85\p{Z}]/u;
const MARKS = new Set("!\"'(),-.:;?[]{}‘’“”–—…");

/** Return the class of each character, as an index of KINDS. */
export function kinds(text) {
  const wordStarts = new Set(Array.from(text.matchAll(WORD), ({ 0: run, index }) => index + run.search(/[^']|$/u)));
  const speakers = Array.from(text.matchAll(SPEAKER_LINE), ({ 0: line, index }) => [index, index + line.length]);
  let offset = 0; // of the character in UTF-16
  let hasLetter = false; // in the line before the character
  const kindOf = (character) => {
    if (character === "\n") return NEWLINE;
    if (BLANK.test(character)) return SPACE;
    if (!/\p{L}/u.test(character)) return MARKS.has(character) ? PUNCTUATION : OTHER;
    const isFirst = !hasLetter;
    hasLetter = true;
    if (/\p{Lu}/u.test(character) && speakers.some(([start, end]) => start <= offset && offset < end)) return SPEAKER;
    if (!wordStarts.has(offset)) return WITHIN;
    return isFirst ? LINE_START : WORD_START;
  };
  return Array.from(text, (character) => {
    const kind = kindOf(character);
    if (kind === NEWLINE) hasLetter = false;
    offset += character.length;
    return kind;
  });
}
