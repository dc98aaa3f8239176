// Diverging color scale for −1 … +1. Colors come from the stylesheet, so that they follow light and dark.

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const mix = (from, to, share) => from.map((channel, i) => Math.round(channel + (to[i] - channel) * share));
const css = (rgb) => "rgb(" + rgb.join(" ") + ")";

function luminance(rgb) {
  const [r, g, b] = rgb.map((channel) => {
    const c = channel / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

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
    const shade = (level, strength, zero) => mix(zero, level < 0 ? minus : plus, Math.min(1, Math.abs(level) / 127) * strength);
    const levels = Array.from({ length: 255 }, (_, i) => i - 127);
    this.pixels = new Uint32Array(levels.map((level) => pixel(shade(level, 1, middle)))); // index: level + 127
    this.bare = pixel(this.paper);
    this.cells = levels.map((level) => css(shade(level, 1, middle))); // the same as CSS colors
    const soft = levels.map((level) => shade(level, 0.78, this.paper));
    this.fills = soft.map(css);
    this.inks = soft.map((rgb) => {
      const light = luminance(rgb);
      const contrast = (ink) => (Math.max(light, ink) + 0.05) / (Math.min(light, ink) + 0.05);
      return contrast(luminance([255, 255, 255])) > contrast(0) ? "#ffffff" : "#000000";
    });
  }
}

function pixel([r, g, b]) {
  return (255 << 24) | (b << 16) | (g << 8) | r;
}

export { channels, css, mix };
