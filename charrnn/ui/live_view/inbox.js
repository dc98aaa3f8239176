// Messages may come late or not at all: what does not fit to what had come before is asked for once more.

import { page } from "../page.js";

const PATIENCE = 2000; // ms within which a lost message is asked for once

export class Inbox {
  constructor(resend) {
    this.resend = resend;
    this.missed = 0; // the serial number of the newest message that did not fit
    this.askedAt = -Infinity;
  }

  /** Everything has come anew. */
  restart() {
    this.askedAt = -Infinity;
  }

  /** Note whether a message fitted to the record -> whether its page is complete up to it. */
  complete(message, record, fitted) {
    if (!fitted) this.missed = Math.max(this.missed, message.serial);
    if (this.missed > record.serial) this.ask();
    return this.missed < message.serial;
  }

  /** What is missing comes with everything else; one request at a time is enough. */
  ask() {
    if (performance.now() - this.askedAt < PATIENCE) return;
    this.askedAt = performance.now();
    page.stats.lost += 1;
    this.resend();
  }
}
