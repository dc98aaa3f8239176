// Tools of the heatmap: restrict the rows, export as image or table.

import { rowNoun } from "./captions.js";
import { csv, fileName, visibleRange, picture, save } from "./heatmap_export.js";

const A_DRAG = 6; // CSS pixels; a shorter drag is a click

export class HeatmapRange {
  /** now() -> { record, drawn, palette }; `changed` is called after the visible rows have changed. */
  constructor(element, map, now, changed) {
    const $ = (selector) => element.querySelector(selector);
    Object.assign(this, { element, map, now, changed });
    this.first = $(".cr-first-row");
    this.last = $(".cr-last-row");
    this.all = $(".cr-all-rows");
    this.hint = $(".cr-drag-hint");
    this.band = $(".cr-band");
    this.status = $('.cr-map [role="status"]');
    for (const input of [this.first, this.last]) input.addEventListener("change", () => this.typed());
    this.all.addEventListener("click", () => this.showRows(null));
    $(".cr-save-png").addEventListener("click", () => this.savePicture());
    $(".cr-save-csv").addEventListener("click", () => this.saveTable());
    this.exportButtons = [...element.querySelectorAll(".cr-keep button")].map((button) => [button, button.title]);
    this.offer(0);
    this.listenToDrags(map.canvas);
  }

  /** Disable the export without a text. */
  offer(drawn) {
    for (const [button, title] of this.exportButtons) {
      button.disabled = !drawn;
      button.title = drawn ? title : "nothing to save yet: write or read a text";
    }
  }

  /** Show the visible range after the rows were reordered. */
  show() {
    const { map } = this;
    const count = map.order.length;
    this.first.max = this.last.max = count;
    this.first.value = map.range ? map.range.first + 1 : 1;
    this.last.value = map.range ? map.range.last + 1 : count;
    if (!map.range && document.activeElement === this.all) map.canvas.focus({ preventScroll: true }); // it goes away
    this.all.hidden = !map.range;
    this.hint.hidden = Boolean(map.range);
    this.all.textContent = "all " + rowNoun(this.now().record.view.name) + "s";
  }

  typed() {
    const { map } = this;
    if (!map.order) return;
    const place = (input, otherwise) => Math.max(1, Math.min(map.order.length, Math.round(Number(input.value)) || otherwise)) - 1;
    const ends = [place(this.first, 1), place(this.last, map.order.length)].sort((a, b) => a - b);
    this.showRows({ first: ends[0], last: ends[1] });
  }

  /** Show the rows first … last of the order, or all. */
  showRows(range) {
    const { map } = this;
    if (!map.order) return;
    const end = map.order.length - 1;
    const [first, last] = range ? [Math.min(range.first, end), Math.min(range.last, end)] : [0, end];
    map.range = last - first < end ? { first, last } : null;
    this.changed();
  }

  // ------------------------------------------------------------------ a drag down or up the map

  listenToDrags(canvas) {
    let from = null; // start of the drag, in CSS pixels from the top
    let dragged = false;
    const height = (event) => this.map.heightOf(event);
    const end = () => {
      from = null;
      this.band.hidden = true;
      this.element.querySelector(".cr-lens").classList.remove("cr-away");
    };
    canvas.addEventListener("pointerdown", (event) => {
      dragged = false;
      if (event.button !== 0 || event.pointerType === "touch" || !this.map.rows) return; // a finger scrolls
      from = height(event);
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (from === null) return;
      dragged ||= Math.abs(height(event) - from) >= A_DRAG;
      if (!dragged) return;
      const { top, bottom } = this.map.rowsBetween(from, height(event));
      this.band.hidden = false;
      this.band.style.top = top + "px";
      this.band.style.height = bottom - top + "px";
      this.element.querySelector(".cr-lens").classList.add("cr-away");
    });
    canvas.addEventListener("pointerup", (event) => {
      if (from !== null && dragged) {
        const { first, last } = this.map.rowsBetween(from, height(event));
        const above = this.map.range ? this.map.range.first : 0;
        this.showRows({ first: above + first, last: above + last });
      }
      end();
    });
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("click", (event) => dragged && event.stopImmediatePropagation(), true);
  }

  // ------------------------------------------------------------------ export

  savePicture() {
    const { record, drawn, palette } = this.now();
    if (!record || !drawn) return;
    const family = (element) => getComputedStyle(element).fontFamily;
    const fonts = { sans: family(this.element.querySelector(".cr-live")), mono: family(this.map.canvas) };
    const name = fileName(record, this.map, "png");
    picture(record, visibleRange(this.map, drawn), palette, drawn, fonts).toBlob((blob) => this.download(blob, name), "image/png");
  }

  saveTable() {
    const { record, drawn } = this.now();
    if (!record || !drawn) return;
    const table = csv(record, visibleRange(this.map, drawn));
    this.download(new Blob([table], { type: "text/csv;charset=utf-8" }), fileName(record, this.map, "csv"));
  }

  download(blob, name) {
    save(blob, name);
    this.status.textContent = "saved as " + name;
  }
}
