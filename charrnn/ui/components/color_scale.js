// Diverging color scale for −1 … +1. Colors come from the stylesheet, so that they follow light and dark.

/** Parse "#rrggbb". */
export const channels = (hex) => [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
export const mix = (from, to, share) => from.map((channel, i) => Math.round(channel + (to[i] - channel) * share));
export const css = (rgb) => "rgb(" + rgb.join(" ") + ")";

export class ColorScale {
  constructor(element) {
    const style = getComputedStyle(element);
    const color = (name) => channels(style.getPropertyValue(name).trim());
    this.paper = color("--cr-paper");
    this.ink = color("--cr-ink");
    this.quiet = color("--cr-quiet");
    this.cursor = color("--cr-words");
    const [minus, plus] = [color("--cr-minus"), color("--cr-plus")];
    const middle = color("--cr-middle");
    const shade = (level, strength, zero) => mix(zero, level < 0 ? minus : plus, (Math.abs(level) / 127) * strength);
    const levels = Array.from({ length: 255 }, (_, i) => i - 127);
    this.pixels = new Uint32Array(levels.map((level) => pixel(shade(level, 1, middle)))); // index: level + 127
    this.emptyPixel = pixel(this.paper);
    this.cells = levels.map((level) => css(shade(level, 1, middle))); // the same as CSS colors
    const strength = parseFloat(style.getPropertyValue("--cr-fill")) / 100;
    this.fills = levels.map((level) => css(shade(level, strength, this.paper))); // backgrounds of characters
    this.letter = style.getPropertyValue("--cr-letter"); // their text color
  }
}

/** Return a color as a little-endian pixel of ImageData. */
function pixel([r, g, b]) {
  return (255 << 24) | (b << 16) | (g << 8) | r;
}
