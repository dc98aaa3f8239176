// Formats probabilities of the tab Write: the same number in every place.

/** Format a probability in percent. */
export const percent = (p) => (p > 0 && p < 0.0005 ? "<0.1" : (100 * p).toFixed(1));
