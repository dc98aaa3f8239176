// The line over the text: something to know, or something that went wrong.

export class Notice {
  constructor(box) {
    this.box = box;
    box.querySelector("button").addEventListener("click", () => this.show(null));
  }

  /** {kind, text}; null takes it away. */
  show(said) {
    this.box.hidden = !said;
    if (!said) return;
    this.box.classList.toggle("cr-problem", said.kind === "problem");
    this.box.firstElementChild.textContent = said.text;
  }
}
