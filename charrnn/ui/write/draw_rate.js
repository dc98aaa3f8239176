// How fast the page draws what has arrived: at the asked speed.

const HORIZON = 0.25; // seconds within which a backlog is drawn as fast as possible

export class DrawRate {
  constructor() {
    this.credit = 0; // characters that may be drawn by now
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

  /** How many characters of the backlog to draw after so many seconds; the first of a text at once. */
  due(seconds, backlog, speed, isFirst) {
    const rate = speed || backlog / HORIZON; // speed 0 is as fast as possible
    this.credit = Math.min(this.credit + seconds * rate, backlog + 1);
    if (isFirst) this.credit = Math.max(this.credit, 1);
    const n = Math.floor(this.credit);
    this.credit -= n;
    return n;
  }

  /** Nothing is left to draw: what was saved up does not become a burst later. */
  rest() {
    this.credit = Math.min(this.credit, 1);
  }
}
