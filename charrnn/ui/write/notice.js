// The notice line above the text.

export class Notice {
  constructor(box) {
    this.box = box;
    box.querySelector("button").addEventListener("click", () => this.show(null));
  }

  /** {kind, text}; null hides it. */
  show(said) {
    this.box.hidden = !said;
    if (!said) return;
    this.box.classList.toggle("cr-problem", said.kind === "problem");
    this.box.firstElementChild.textContent = said.text;
  }
}
