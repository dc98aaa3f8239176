// The lens over the heatmap: the cells around the pointer, enlarged, with their units and characters.

import { css } from "../components/color_scale.js";
import { visibleLetter } from "../components/page_state.js";

const LENS = { columns: 11, rows: 13, width: 17, height: 14 };

/** Enlarge the surroundings of a cell of a Heatmap, next to it; above it on a screen without room beside it. */
export function drawLens(map, record, length, palette, at) {
  const { lens, rows, ratio } = map;
  lens.hidden = !at;
  if (!at) return;
  const { columns, width: cell, height: line } = LENS;
  const tall = Math.min(LENS.rows, rows.length);
  const names = 34; // room for the numbers of the units
  const { clientWidth: room, clientHeight: floor } = map.canvas;
  lens.width = (columns * cell + names) * ratio;
  lens.height = (tall * line + 20) * ratio;
  lens.style.width = lens.width / ratio + "px";
  lens.style.height = lens.height / ratio + "px";
  const pen = lens.getContext("2d");
  pen.scale(ratio, ratio);
  pen.fillStyle = css(palette.paper);
  pen.fillRect(0, 0, lens.width, lens.height);
  pen.font = "10px " + getComputedStyle(map.canvas).fontFamily;
  pen.textBaseline = "middle";
  const left = at.position - (columns >> 1);
  const top = Math.max(0, Math.min(rows.length - tall, at.row - (tall >> 1)));
  for (let r = 0; r < tall; r++) {
    const unit = rows[top + r];
    for (let c = 0; c < columns; c++) {
      const i = left + c;
      if (i < 0 || i >= length) continue;
      pen.fillStyle = palette.cells[map.level(record, i, unit) + 127];
      pen.fillRect(names + c * cell, r * line, cell - 1, line - 1);
    }
    pen.textAlign = "right";
    pen.fillStyle = css(unit === at.unit ? palette.ink : palette.quiet);
    pen.fillText(unit, names - 6, (r + 0.5) * line);
  }
  pen.textAlign = "center";
  for (let c = 0; c < columns; c++) {
    const i = left + c;
    if (i < 0 || i >= length) continue;
    pen.fillStyle = css(i === at.position ? palette.cursor : palette.quiet);
    pen.fillText(visibleLetter(record.characters[i]), names + (c + 0.5) * cell, tall * line + 9);
  }
  pen.lineWidth = 2;
  pen.strokeStyle = css(palette.ink);
  pen.strokeRect(names + (columns >> 1) * cell - 0.5, (at.row - top) * line - 0.5, cell, line);

  const x = ((at.position - map.from + 0.5) * room) / map.columns;
  const y = ((at.row + 0.5) * map.rowHeight) / ratio;
  const [wide, high] = [lens.width / ratio, lens.height / ratio];
  if (x + 22 + wide < room || x - 22 - wide > 0) {
    lens.style.left = (x + 22 + wide < room ? x + 22 : x - 22 - wide) + "px";
    lens.style.top = Math.max(0, Math.min(y - 90, floor - high)) + "px";
  } else {
    lens.style.left = Math.max(0, Math.min(room - wide, x - wide / 2)) + "px"; // a phone: above the finger
    lens.style.top = y - high - 24 + "px";
  }
}
