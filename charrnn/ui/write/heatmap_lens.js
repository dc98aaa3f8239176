// The lens over the heatmap: the cells around the cursor, enlarged, with their units and characters.

import { css } from "../components/color_scale.js";
import { visibleLetter } from "../components/page_state.js";

const LENS = { columns: 11, rows: 13, width: 17, height: 14 };

/** Draw the surroundings of a cell of a Heatmap beside it, or above it on a narrow screen; hide the lens without a cell. */
export function drawLens(lens, map, record, length, palette, target) {
  const { rows, ratio } = map;
  lens.hidden = !target;
  if (!target) return;
  const { columns, width: cell, height: line } = LENS;
  const shownRows = Math.min(LENS.rows, rows.length);
  const names = 34; // CSS pixels, for the numbers of the units
  const { clientWidth: mapWidth, clientHeight: mapHeight } = map.canvas;
  lens.width = (columns * cell + names) * ratio;
  lens.height = (shownRows * line + 20) * ratio;
  lens.style.width = lens.width / ratio + "px";
  lens.style.height = lens.height / ratio + "px";
  const pen = lens.getContext("2d");
  pen.scale(ratio, ratio);
  pen.fillStyle = css(palette.paper);
  pen.fillRect(0, 0, lens.width, lens.height);
  pen.font = "10px " + getComputedStyle(map.canvas).fontFamily;
  pen.textBaseline = "middle";
  const left = target.position - (columns >> 1);
  const top = Math.max(0, Math.min(rows.length - shownRows, target.row - (shownRows >> 1)));
  for (let r = 0; r < shownRows; r++) {
    const unit = rows[top + r];
    for (let c = 0; c < columns; c++) {
      const i = left + c;
      if (i < 0 || i >= length) continue;
      pen.fillStyle = palette.cells[map.level(record, i, unit) + 127];
      pen.fillRect(names + c * cell, r * line, cell - 1, line - 1);
    }
    pen.textAlign = "right";
    pen.fillStyle = css(unit === target.unit ? palette.ink : palette.quiet);
    pen.fillText(unit, names - 6, (r + 0.5) * line);
  }
  pen.textAlign = "center";
  for (let c = 0; c < columns; c++) {
    const i = left + c;
    if (i < 0 || i >= length) continue;
    pen.fillStyle = css(i === target.position ? palette.cursor : palette.quiet);
    pen.fillText(visibleLetter(record.characters[i]), names + (c + 0.5) * cell, shownRows * line + 9);
  }
  pen.lineWidth = 2;
  pen.strokeStyle = css(palette.ink);
  pen.strokeRect(names + (columns >> 1) * cell - 0.5, (target.row - top) * line - 0.5, cell, line);

  const x = ((target.position - map.from + 0.5) * mapWidth) / map.columns;
  const y = ((target.row + 0.5) * map.rowHeight) / ratio;
  const [width, height] = [lens.width / ratio, lens.height / ratio];
  if (x + 22 + width < mapWidth || x - 22 - width > 0) {
    lens.style.left = (x + 22 + width < mapWidth ? x + 22 : x - 22 - width) + "px";
    lens.style.top = Math.max(0, Math.min(y - 90, mapHeight - height)) + "px";
  } else {
    lens.style.left = Math.max(0, Math.min(mapWidth - width, x - width / 2)) + "px"; // on a phone, above the finger
    lens.style.top = y - height - 24 + "px";
  }
}
