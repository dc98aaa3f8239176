// Formats of numbers, as charrnn/number_format.py has them.

/** Format a number with a typographic sign; no sign if it rounds to 0. */
export function signed(number, digits = 3) {
  const size = Math.abs(number).toFixed(digits);
  return Number(size) === 0 ? size : (number < 0 ? "−" : "+") + size;
}

/** Format a share; the space before the sign does not break. */
export const percent = (share, digits = 0) => (100 * share).toFixed(digits).replace("-", "−") + "\u00a0%";

/** Format a number of characters. */
export const counted = (characters) => (characters === 1 ? "1 character" : `${characters.toLocaleString("en")} characters`);
