// The text: a line is a block, a character is a target.

export class TextView {
  constructor(box) {
    this.box = box;
    this.clear();
  }

  clear() {
    this.spans = [];
    this.line = null;
    this.marked = null;
    this.box.replaceChildren();
  }

  /** Append positions from..to of the record. */
  append(record, from, to, colour) {
    const follow = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 48;
    for (let i = from; i < to; i++) {
      if (!this.line) {
        this.line = document.createElement("div");
        this.line.className = "cr-line";
        this.box.append(this.line);
      }
      const span = document.createElement("span");
      const character = record.characters[i];
      span.textContent = character;
      span.position = i;
      if (i < record.prompt) span.className = "cr-given";
      if (character === "\n") span.classList.add("cr-newline");
      colour(span, i);
      this.spans.push(span);
      this.line.append(span);
      if (character === "\n") this.line = null;
    }
    if (follow) this.box.scrollTop = this.box.scrollHeight;
  }

  /** Frame the character under the cursor. */
  mark(position, scroll) {
    if (this.marked) this.marked.classList.remove("cr-cursor");
    this.marked = position === null ? null : this.spans[position] || null;
    if (!this.marked) return;
    this.marked.classList.add("cr-cursor");
    if (scroll) this.marked.scrollIntoView({ block: "nearest" });
  }

  positionOf(event) {
    const span = event.target.closest("span");
    return span && span.position !== undefined ? span.position : null;
  }
}
