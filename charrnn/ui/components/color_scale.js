// Diverging color scale for −1 … +1. Colors come from the stylesheet, so that they follow light and dark.

/** Parse "#rrggbb". */
export const channels = (hex) => [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
export const mix = (from, to, share) => from.map((channel, i) => Math.round(channel + (to[i] - channel) * share));
export const css = (rgb) => "rgb(" + rgb.join(" ") + ")";

/** Relative luminance as WCAG defines it. */
function luminance(rgb) {
  const [r, g, b] = rgb.map((channel) => {
    const c = channel / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

// Luminance l of a background on which black and white text have equal contrast: 1.05 / (l + 0.05) = (l + 0.05) / 0.05.
const EQUAL_CONTRAST = Math.sqrt(1.05 * 0.05) - 0.05;

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
    const soft = levels.map((level) => shade(level, 0.78, this.paper));
    this.fills = soft.map(css); // backgrounds of characters
    this.inks = soft.map((rgb) => (luminance(rgb) < EQUAL_CONTRAST ? "#ffffff" : "#000000")); // their text colors
  }
}

/** Return a color as a little-endian pixel of ImageData. */
function pixel([r, g, b]) {
  return (255 << 24) | (b << 16) | (g << 8) | r;
}
