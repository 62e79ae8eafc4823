// How far behind its pace a stream arrives. A recorded day has no present time, so the measure is
// the connection's own: a bin is late by what it came later than the most punctual one before it.

const MEMORY_BINS = 50;

export class Lag {
  constructor() {
    this.restart();
  }

  restart() {
    this.best = Infinity;
    this.recent = [];
  }

  /** Note the arrival of the bin that ended at `endMs`. */
  arrived(endMs) {
    const offset = performance.now() - endMs;
    this.best = Math.min(this.best, offset);
    this.recent.push(offset - this.best);
    if (this.recent.length > MEMORY_BINS) this.recent.shift();
  }

  /** The largest lateness of the last bins in milliseconds, null before the first. */
  get ms() {
    return this.recent.length ? Math.max(...this.recent) : null;
  }
}
