// The notice line above the text.

export class Notice {
  constructor(box) {
    this.box = box;
    box.querySelector("button").addEventListener("click", () => this.show(null));
  }

  /** Show a notice {kind, text}; null hides the line. */
  show(notice) {
    this.box.hidden = !notice;
    if (!notice) return;
    this.box.classList.toggle("cr-problem", notice.kind === "problem");
    this.box.firstElementChild.textContent = notice.text;
  }
}
