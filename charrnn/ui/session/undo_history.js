// Undo and redo stacks of texts.

const MAX_VERSIONS = 50;

export class UndoHistory {
  constructor() {
    this.past = [];
    this.future = [];
  }

  copy() {
    return Object.assign(new UndoHistory(), { past: [...this.past], future: [...this.future] });
  }

  /** Push the current text before it is replaced. */
  push(present) {
    this.past = [...this.past, present].slice(-MAX_VERSIONS);
    this.future = [];
  }

  /** Return the previous text, or null if there is none. */
  undo(present) {
    return move(this.past, this.future, present);
  }

  /** Return the text that was undone last, or null if there is none. */
  redo(present) {
    return move(this.future, this.past, present);
  }

  counts() {
    return { undo: this.past.length, redo: this.future.length };
  }
}

/** Pop a text from one stack and push the present one onto the other. */
function move(from, to, present) {
  if (!from.length) return null;
  to.push(present);
  return from.pop();
}
