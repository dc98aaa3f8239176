// Source lines in blocks, with the values that each line computed.

import { unpacked } from "../components/base64.js";
import { create } from "../components/create_element.js";
import { SCALE } from "../components/text_record.js";

const FIRST = 5; // numbers that are written out

/** Format a number to three decimals, with a real minus. */
function figure(value) {
  const size = Math.abs(value).toFixed(3);
  return (value < 0 && Number(size) !== 0 ? "−" : "") + size;
}

/** End of a strip's scale: at least 1, rounded up to 1, 2 or 5 times a power of ten. */
function endOf(least, most) {
  const size = Math.max(-least, most);
  if (!(size > 1)) return 1;
  const power = 10 ** Math.floor(Math.log10(size));
  return [1, 2, 5, 10].find((step) => size <= step * power) * power;
}

class Row {
  constructor(value, units, choose) {
    this.value = value;
    this.numbers = unpacked(value.numbers, Float32Array);
    this.units = units;
    this.end = endOf(value.least, value.most);
    this.node = create("div", "cr-value cr-" + value.kind);
    this.unit = create("span", "cr-value-unit");
    const head = create("div", "cr-value-head", create("code", "cr-value-name", value.source), create("span", "cr-shape", this.shape()), this.unit);
    this.canvas = create("canvas", { width: this.numbers.length, height: 1, ariaHidden: "true" });
    const strip = create("div", { className: "cr-strip", title: "colours from −" + this.end + " to " + this.end }, this.canvas);
    this.marks = value.units.map(() => strip.appendChild(create("i", "cr-mark")));
    if (value.units.length) {
      strip.addEventListener("click", (event) => {
        const { left, width } = strip.getBoundingClientRect();
        const at = Math.floor(((event.clientX - left) / width) * this.numbers.length);
        choose(Math.max(0, Math.min(this.numbers.length - 1, at)) % units);
      });
    }
    const first = [...this.numbers.subarray(0, FIRST)].map(figure).join("  ");
    const span = "min " + figure(value.least) + " · mean " + figure(value.mean) + " · max " + figure(value.most);
    const more = this.numbers.length > FIRST ? "  …" : "";
    const foot = create("div", "cr-value-foot", create("span", "cr-first", first + more), create("span", "cr-span", span));
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
      const value = create("b", {}, figure(this.numbers[at]));
      this.unit.append(name ? name + " " : "", value, " ");
      this.marks[block].style.left = (100 * (at + 0.5)) / this.numbers.length + "%";
    });
  }
}

function lineNode(line, rows) {
  const source = create("pre", {}, create("span", "cr-line-number", line.number + " "), create("code", {}, line.source));
  return create("div", "cr-code-line", source, create("div", "cr-line-values", ...rows.map((row) => row.node)));
}

/** Return {show, magnify, paint}. `choose` is called with a clicked unit. */
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
        const head = create("h3", {}, block.title, create("span", {}, block.name + ", " + block.file));
        const node = create("section", { className: "cr-code-block" + (block.cell ? " cr-cell" : ""), ariaLabel: block.name }, head);
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
