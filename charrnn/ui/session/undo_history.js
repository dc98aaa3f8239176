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

  /** Keep the present text, which is about to be replaced. */
  add(present) {
    this.past = [...this.past, present].slice(-MAX_VERSIONS);
    this.future = [];
  }

  /** The text before the present one; null if there is none. */
  undo(present) {
    return move(this.past, this.future, present);
  }

  /** The text that was undone last; null if there is none. */
  redo(present) {
    return move(this.future, this.past, present);
  }

  counts() {
    return { undo: this.past.length, redo: this.future.length };
  }
}

function move(from, to, present) {
  if (!from.length) return null;
  to.push(present);
  return from.pop();
}
