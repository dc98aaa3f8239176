// Formats probabilities of the tab Write: the same number in every place.

/** Format a probability in percent, without the sign. */
export const percent = (p) => (p > 0 && p < 0.0005 ? "<0.1" : (100 * p).toFixed(1));

/** Format a probability in percent, with the sign. */
export const withPercent = (p) => percent(p) + "\u00a0%";
