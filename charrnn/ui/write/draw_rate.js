// Number of characters drawn per frame, at the selected speed.

const HORIZON = 0.25; // seconds within which a backlog is drawn as fast as possible

export class DrawRate {
  constructor() {
    this.credit = 0; // characters due by now
    this.last = 0; // time of the last frame
  }

  /** A frame at this time -> seconds since the one before. */
  tick(now) {
    const seconds = Math.min(0.5, (now - this.last) / 1000);
    this.last = now;
    return seconds;
  }

  restart() {
    this.credit = 0;
  }

  /** Number of characters of the backlog to draw; the first character of a text at once. */
  due(seconds, backlog, speed, isFirst) {
    const rate = speed || backlog / HORIZON; // speed 0 is as fast as possible
    this.credit = Math.min(this.credit + seconds * rate, backlog + 1);
    if (isFirst) this.credit = Math.max(this.credit, 1);
    const n = Math.floor(this.credit);
    this.credit -= n;
    return n;
  }

  /** Reset the credit when nothing is left to draw. */
  rest() {
    this.credit = Math.min(this.credit, 1);
  }
}
