// Source lines in blocks, with the values that each line computed.

import { decodeArray } from "../components/base64.js";
import { create } from "../components/create_element.js";
import { MAX_LEVEL } from "../components/text_record.js";

const MAX_WRITTEN = 3; // numbers of a value that are written out

/** Format a number with three decimals and a minus sign. */
function format(value) {
  const magnitude = Math.abs(value).toFixed(3);
  return (value < 0 && Number(magnitude) !== 0 ? "−" : "") + magnitude;
}

/** Return the end of a color scale: at least 1, rounded up to 1, 2 or 5 times a power of ten. */
function scaleEnd(low, high) {
  const magnitude = Math.max(-low, high);
  if (!(magnitude > 1)) return 1;
  const power = 10 ** Math.floor(Math.log10(magnitude));
  return [1, 2, 5, 10].find((step) => magnitude <= step * power) * power;
}

/** Return the minimum, mean and maximum. */
function summarize(numbers) {
  let [low, high, sum] = [Infinity, -Infinity, 0];
  for (const x of numbers) {
    [low, high] = [Math.min(low, x), Math.max(high, x)];
    sum += x;
  }
  return [low, sum / numbers.length, high];
}

/** The row of a value: name, shape, color strip and first numbers. */
class ValueRow {
  /** units: per block of the value; choose(unit): called for a clicked unit. */
  constructor(value, units, choose) {
    this.value = value;
    this.numbers = decodeArray(value.numbers, Float32Array);
    this.units = units;
    const [low, mean, high] = summarize(this.numbers);
    this.end = scaleEnd(low, high);
    this.node = create("div", "cr-value cr-" + value.kind);
    this.unit = create("span", "cr-value-unit");
    const head = create("div", "cr-value-head", create("code", "cr-value-name", value.source), create("span", "cr-shape", this.shape()), this.unit);
    this.canvas = create("canvas", { width: this.numbers.length, height: 1, ariaHidden: "true" });
    const strip = create("div", { className: "cr-strip", title: "colours from −" + this.end + " to " + this.end }, this.canvas);
    this.marks = value.units.map(() => strip.appendChild(create("i", "cr-mark")));
    if (value.units.length) {
      strip.addEventListener("click", (event) => {
        const { left, width } = strip.getBoundingClientRect();
        const index = Math.floor(((event.clientX - left) / width) * this.numbers.length);
        choose(Math.max(0, Math.min(this.numbers.length - 1, index)) % units);
      });
    }
    const first = [...this.numbers.subarray(0, MAX_WRITTEN)].map(format).join("  ") + (this.numbers.length > MAX_WRITTEN ? "  …" : "");
    const summary = "min " + format(low) + " mean " + format(mean) + " max " + format(high);
    const foot = create("div", "cr-value-foot", create("span", "cr-first", first), create("span", {}, summary));
    this.node.append(head, strip, foot);
  }

  /** Describe the origin and shape of the value; of keys and values of all positions it is that of the last one. */
  shape() {
    const { shape, kind } = this.value;
    const isPart = this.numbers.length < shape.reduce((product, size) => product * size, 1);
    const part = isPart ? ", the last of " + shape[2] + " positions" : "";
    const isVector = shape.at(-1) === this.numbers.length;
    const size = isVector ? shape.at(-1) + " numbers" : "(" + shape.join(", ") + ")" + part;
    return (kind === "given" ? "argument, " : "") + size;
  }

  paint(palette) {
    const context = this.canvas.getContext("2d");
    const image = context.createImageData(this.numbers.length, 1);
    const pixels = new Uint32Array(image.data.buffer);
    this.numbers.forEach((x, i) => {
      const level = Math.round(MAX_LEVEL * Math.max(-1, Math.min(1, x / this.end)));
      pixels[i] = palette.pixels[(Number.isFinite(level) ? level : 0) + MAX_LEVEL];
    });
    context.putImageData(image, 0, 0);
  }

  /** Show the numbers of a unit, and mark them in the strip. */
  showUnit(unit) {
    this.unit.replaceChildren();
    this.value.units.forEach((name, block) => {
      const index = block * this.units + unit;
      this.unit.append(name ? name + " " : "", create("b", {}, format(this.numbers[index])), " ");
      this.marks[block].style.left = (100 * (index + 0.5)) / this.numbers.length + "%";
    });
  }
}

/** Create the box of a block; one around the cell's own is a closed fold. */
function blockNode(block) {
  const title = create("span", {}, block.name + ", " + block.file);
  if (block.cell) return create("section", { className: "cr-code-block cr-cell", ariaLabel: block.name }, create("h3", {}, block.title, title));
  return create("details", { className: "cr-code-block", ariaLabel: block.name }, create("summary", {}, create("h3", {}, block.title, title)));
}

/** Create a source line beside its values. */
function lineNode(line, rows) {
  const source = create("pre", {}, create("span", "cr-line-number", line.number + " "), create("code", {}, line.source));
  return create("div", "cr-code-line", source, create("div", "cr-line-values", ...rows.map((row) => row.node)));
}

/**
 * Show source blocks in this box; choose(unit) is called for a clicked unit.
 *
 * Returns {show, showUnit, paint, highlight, numberOf}: show(blocks, units, unit) draws blocks with this unit shown; paint(palette)
 * sets the colors; highlight(part) marks the lines of a part of a diagram, or none; numberOf(part) returns its number of the unit.
 */
export function createSourceBlocks(box, choose) {
  let rows = [];
  let lines = []; // { cell, node, rows } of each line
  let palette = null;

  /** Return the lines of a part: for each expression the last one of the cell, and all around the cell that compute one. */
  function linesOf({ inside, around }) {
    const has = (line, source) => line.rows.some((row) => row.value.source === source);
    const own = inside.map((source) => lines.findLast((line) => line.cell && has(line, source)));
    const others = lines.filter((line) => !line.cell && around.some((source) => has(line, source)));
    return [...own.filter(Boolean), ...others];
  }
  const showUnit = (unit) => rows.forEach((row) => row.showUnit(unit));

  return {
    show(blocks, units, unit) {
      const opened = [...box.querySelectorAll("details[open]")].map((fold) => fold.ariaLabel);
      rows = [];
      lines = [];
      const nodes = blocks.map((block) => {
        const node = blockNode(block);
        node.open = opened.includes(block.name);
        for (const line of block.lines) {
          const own = line.values.map((value) => new ValueRow(value, units, choose));
          rows.push(...own);
          lines.push({ cell: block.cell, node: lineNode(line, own), rows: own });
          node.append(lines.at(-1).node);
        }
        return node;
      });
      box.replaceChildren(...nodes);
      if (palette) rows.forEach((row) => row.paint(palette));
      showUnit(unit);
    },
    showUnit,
    highlight(part) {
      for (const { node } of lines) node.classList.remove("cr-lit");
      for (const { node } of part ? linesOf(part) : []) {
        node.classList.add("cr-lit");
        const fold = node.closest("details");
        if (fold) fold.open = true;
      }
    },
    numberOf({ inside }) {
      if (inside.length !== 1) return "";
      const found = lines.filter((line) => line.cell).flatMap((line) => line.rows).findLast((row) => row.value.source === inside[0]);
      return found?.value.units.length === 1 ? found.unit.textContent.trim() : "";
    },
    paint(colors) {
      palette = colors;
      rows.forEach((row) => row.paint(palette));
    },
  };
}
