// Tools of the heatmap: restrict its rows, export what is in sight as image or table.

import { rowNoun } from "./heatmap_captions.js";
import { csv, download, drawImage, fileName, visibleRange } from "./heatmap_export.js";

const MIN_DRAG = 6; // CSS pixels; a shorter drag is a click

export class HeatmapRange {
  /** live() -> { record, drawn, palette }; `changed` is called after the visible rows of the picture of all units have changed. */
  constructor(element, pictures, live, changed) {
    const $ = (selector) => element.querySelector(selector);
    const { map } = pictures;
    Object.assign(this, { element, pictures, map, live, changed });
    this.first = $(".cr-first-row");
    this.last = $(".cr-last-row");
    this.all = $(".cr-all-rows");
    this.hint = $(".cr-drag-hint");
    this.band = $(".cr-band");
    this.status = $('.cr-map [role="status"]');
    for (const input of [this.first, this.last]) input.addEventListener("change", () => this.readInputs());
    this.all.addEventListener("click", () => this.showRows(null));
    $(".cr-save-png").addEventListener("click", () => this.saveImage());
    $(".cr-save-csv").addEventListener("click", () => this.saveTable());
    this.exportButtons = [...element.querySelectorAll(".cr-keep button")].map((button) => [button, button.title]);
    this.setEnabled(false);
    this.listenToDrags(map.canvas);
  }

  /** Enable the export, or disable it without a text. */
  setEnabled(isEnabled) {
    for (const [button, title] of this.exportButtons) {
      button.disabled = !isEnabled;
      button.title = isEnabled ? title : "nothing to save yet: write or read a text";
    }
  }

  /** Show the visible range after the rows were reordered. */
  show() {
    const { map } = this;
    const count = map.order.length;
    this.first.max = this.last.max = count;
    this.first.value = map.range ? map.range.first + 1 : 1;
    this.last.value = map.range ? map.range.last + 1 : count;
    if (!map.range && document.activeElement === this.all) map.canvas.focus({ preventScroll: true }); // since the button is hidden next
    this.all.hidden = !map.range;
    this.hint.hidden = Boolean(map.range);
    this.all.textContent = "all " + rowNoun(this.live().record.view.name) + "s";
  }

  /** Show the rows of the number inputs. An invalid number counts as the first or last row. */
  readInputs() {
    const { map } = this;
    if (!map.order) return;
    const rowOf = (input, otherwise) => Math.max(1, Math.min(map.order.length, Math.round(Number(input.value)) || otherwise)) - 1;
    const [first, last] = [rowOf(this.first, 1), rowOf(this.last, map.order.length)].sort((a, b) => a - b);
    this.showRows({ first, last });
  }

  /** Show the rows first … last of the order, or all. */
  showRows(range) {
    const { map } = this;
    if (!map.order) return;
    const end = map.order.length - 1;
    const [first, last] = range ? [Math.min(range.first, end), Math.min(range.last, end)] : [0, end];
    map.range = last - first < end ? { first, last } : null;
    this.pictures.wantsAll ||= range !== null; // for this visit
    this.changed();
  }

  // ------------------------------------------------------------------ dragging over the rows

  listenToDrags(canvas) {
    let start = null; // in CSS pixels from the top; null outside of a drag
    let dragged = false;
    const { map } = this;
    const lens = this.element.querySelector(".cr-lens");
    const end = () => {
      start = null;
      this.band.hidden = true;
      lens.classList.remove("cr-away");
    };
    canvas.addEventListener("pointerdown", (event) => {
      dragged = false;
      if (event.button !== 0 || event.pointerType === "touch" || !map.rows) return; // touch scrolls
      start = map.offsetOf(event);
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (start === null) return;
      dragged ||= Math.abs(map.offsetOf(event) - start) >= MIN_DRAG;
      if (!dragged) return;
      const { top, bottom } = map.rowsBetween(start, map.offsetOf(event));
      this.band.hidden = false;
      this.band.style.top = top + "px";
      this.band.style.height = bottom - top + "px";
      lens.classList.add("cr-away");
    });
    canvas.addEventListener("pointerup", (event) => {
      if (start !== null && dragged) {
        const { first, last } = map.rowsBetween(start, map.offsetOf(event));
        const hidden = map.range ? map.range.first : 0; // rows above the visible ones
        this.showRows({ first: hidden + first, last: hidden + last });
      }
      end();
    });
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("click", (event) => dragged && event.stopImmediatePropagation(), true);
  }

  // ------------------------------------------------------------------ export

  saveImage() {
    const { record, drawn, palette } = this.live();
    if (!record || !drawn) return;
    const family = (element) => getComputedStyle(element).fontFamily;
    const fonts = { sans: family(this.element.querySelector(".cr-live")), mono: family(this.map.canvas) };
    const { main } = this.pictures;
    const name = fileName(record, main, "png");
    drawImage(record, main, visibleRange(main, drawn), palette, drawn, fonts).toBlob((blob) => this.save(blob, name), "image/png");
  }

  saveTable() {
    const { record, drawn } = this.live();
    if (!record || !drawn) return;
    const { main } = this.pictures;
    const table = csv(record, visibleRange(main, drawn));
    this.save(new Blob([table], { type: "text/csv;charset=utf-8" }), fileName(record, main, "csv"));
  }

  save(blob, name) {
    download(blob, name);
    this.status.textContent = "saved as " + name;
  }
}
