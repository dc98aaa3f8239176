// Blocks of source lines with the values that each made.

import { SCALE } from "../components/text_record.js";

const FIRST = 5; // numbers that are written out

const made = (name, className, text = "") => {
  const node = document.createElement(name);
  node.className = className;
  node.textContent = text;
  return node;
};

/** A number to three decimals, with a real minus. */
export function figure(value) {
  const size = Math.abs(value).toFixed(3);
  return (value < 0 && Number(size) !== 0 ? "−" : "") + size;
}

function unpacked(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

/** The end of a strip's scale: 1 where nothing is larger, else the next 1, 2 or 5 times a power of ten. */
export function endOf(least, most) {
  const size = Math.max(-least, most);
  if (!(size > 1)) return 1;
  const power = 10 ** Math.floor(Math.log10(size));
  return [1, 2, 5, 10].find((step) => size <= step * power) * power;
}

class Row {
  constructor(value, units, choose) {
    this.value = value;
    this.numbers = unpacked(value.numbers);
    this.units = units;
    this.end = endOf(value.least, value.most);
    this.node = made("div", "cr-value cr-" + value.kind);
    const head = made("div", "cr-value-head");
    head.append(made("code", "cr-value-name", value.source), made("span", "cr-shape", this.shape()));
    this.unit = made("span", "cr-value-unit");
    head.append(this.unit);
    const strip = made("div", "cr-strip");
    this.canvas = made("canvas", "");
    this.canvas.width = this.numbers.length;
    this.canvas.height = 1;
    this.canvas.setAttribute("aria-hidden", "true");
    strip.append(this.canvas);
    strip.title = "colours from −" + this.end + " to " + this.end;
    this.marks = value.units.map(() => strip.appendChild(made("i", "cr-mark")));
    if (value.units.length) {
      strip.addEventListener("click", (event) => {
        const { left, width } = strip.getBoundingClientRect();
        const at = Math.floor(((event.clientX - left) / width) * this.numbers.length);
        choose(Math.max(0, Math.min(this.numbers.length - 1, at)) % units);
      });
    }
    const first = [...this.numbers.subarray(0, FIRST)].map(figure).join("  ");
    const span = "min " + figure(value.least) + " · mean " + figure(value.mean) + " · max " + figure(value.most);
    const foot = made("div", "cr-value-foot");
    const more = this.numbers.length > FIRST ? "  …" : "";
    foot.append(made("span", "cr-first", first + more), made("span", "cr-span", span));
    this.node.append(head, strip, foot);
  }

  shape() {
    const { shape, part, kind } = this.value;
    return (kind === "given" ? "given " : "") + "(" + shape.join(", ") + (shape.length === 1 ? ",)" : ")") + (part ? ", " + part : "");
  }

  paint(palette) {
    const context = this.canvas.getContext("2d");
    const image = context.createImageData(this.numbers.length, 1);
    const pixels = new Uint32Array(image.data.buffer);
    this.numbers.forEach((x, i) => {
      const level = Math.round(SCALE * Math.max(-1, Math.min(1, x / this.end)));
      pixels[i] = palette.pixels[(Number.isFinite(level) ? level : 0) + SCALE];
    });
    context.putImageData(image, 0, 0);
  }

  magnify(unit) {
    this.unit.replaceChildren();
    this.value.units.forEach((name, block) => {
      const at = block * this.units + unit;
      const value = made("b", "", figure(this.numbers[at]));
      this.unit.append(name ? name + " " : "", value, " ");
      this.marks[block].style.left = (100 * (at + 0.5)) / this.numbers.length + "%";
    });
  }
}

function lineNode(line, rows) {
  const node = made("div", "cr-code-line");
  const source = made("pre", "");
  source.append(made("span", "cr-line-number", line.number + " "), made("code", "", line.source));
  const values = made("div", "cr-line-values");
  values.append(...rows.map((row) => row.node));
  node.append(source, values);
  return node;
}

/** Returns {show, magnify, paint}; `choose` hears which unit was pressed. */
export function createSourceBlocks(box, choose) {
  let rows = [];
  let palette = null;
  let unit = 0;

  function magnify(which) {
    unit = which;
    rows.forEach((row) => row.magnify(unit));
  }

  return {
    show(blocks, units, which) {
      rows = [];
      const nodes = blocks.map((block) => {
        const node = made("section", "cr-code-block" + (block.cell ? " cr-cell" : ""));
        const head = made("h3", "", block.title);
        head.append(made("span", "", block.name + ", " + block.file));
        node.setAttribute("aria-label", block.name);
        node.append(head);
        for (const line of block.lines) {
          const own = line.values.map((value) => new Row(value, units, choose));
          rows.push(...own);
          node.append(lineNode(line, own));
        }
        return node;
      });
      box.replaceChildren(...nodes);
      if (palette) rows.forEach((row) => row.paint(palette));
      if (blocks.length) magnify(which);
    },
    magnify,
    paint(colours) {
      palette = colours;
      rows.forEach((row) => row.paint(palette));
    },
  };
}
