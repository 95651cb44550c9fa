// Points over time in a ring of typed arrays: nothing is allocated while they come.

export class Track {
  constructor(capacity) {
    this.capacity = capacity;
    this.times = new Float64Array(capacity);
    this.lows = new Float32Array(capacity);
    this.highs = new Float32Array(capacity);
    this.clear();
  }

  clear() {
    this.head = 0;
    this.length = 0;
  }

  /** A point, or the least and the largest of a while. What is no number breaks the line. */
  push(time, low, high = low) {
    const before = this.length ? this.times[this.index(this.length - 1)] : -Infinity;
    // A source whose clock jitters may step back a little; one that begins anew begins anew.
    if (time < before - 1) this.clear();
    const at = this.index(this.length);
    this.times[at] = Math.max(time, this.length ? before : time);
    this.lows[at] = low;
    this.highs[at] = high;
    if (this.length < this.capacity) this.length += 1;
    else this.head = (this.head + 1) % this.capacity;
  }

  /** Ends the line here. */
  break(time) {
    if (this.length) this.push(time, NaN);
  }

  /** Where the nth of the points that are kept lies. */
  index(n) {
    return (this.head + n) % this.capacity;
  }

  /** The first point at or after a time. */
  from(time) {
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[this.index(middle)] < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** When the newest point is. */
  get end() {
    return this.length ? this.times[this.index(this.length - 1)] : -Infinity;
  }

  /** The newest value. */
  get last() {
    return this.length ? this.highs[this.index(this.length - 1)] : NaN;
  }

  /** The value nearest to a time, if there is one within `reach`. */
  near(time, reach) {
    const after = this.from(time);
    let [best, distance] = [null, reach];
    for (const n of [after - 1, after]) {
      if (n < 0 || n >= this.length) continue;
      const at = this.index(n);
      const away = Math.abs(this.times[at] - time);
      if (away <= distance && Number.isFinite(this.lows[at])) {
        [best, distance] = [{ time: this.times[at], low: this.lows[at], high: this.highs[at] }, away];
      }
    }
    return best;
  }
}

/** Little-endian floats from base64. */
export function floats(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let n = 0; n < raw.length; n += 1) bytes[n] = raw.charCodeAt(n);
  return new Float32Array(bytes.buffer);
}
