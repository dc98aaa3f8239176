// Number of characters drawn per frame, at the selected speed.

const HORIZON = 0.25; // seconds within which a backlog is drawn as fast as possible

export class DrawRate {
  constructor() {
    this.credit = 0; // characters due by now
    this.last = 0; // time of the last frame
  }

  /** Record the time of a frame; returns the seconds since the frame before. */
  tick(now) {
    const seconds = Math.min(0.5, (now - this.last) / 1000);
    this.last = now;
    return seconds;
  }

  /** Begin again, for another text. */
  restart() {
    this.credit = 0;
  }

  /** Return the number of characters of the backlog to draw now; the first character of a text is drawn at once. */
  due(seconds, backlog, speed, isFirst) {
    const rate = speed || backlog / HORIZON; // speed 0 is as fast as possible
    this.credit = Math.min(this.credit + seconds * rate, backlog + 1);
    if (isFirst) this.credit = Math.max(this.credit, 1);
    const n = Math.floor(this.credit);
    this.credit -= n;
    return n;
  }

  /** Limit the credit while nothing is left to draw. */
  idle() {
    this.credit = Math.min(this.credit, 1);
  }
}
