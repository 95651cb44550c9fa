// Where the lines of axes lie.

/** Steps of 1, 2 or 5 times a power of ten between two values, about `most` of them. */
export function steps(low, high, most) {
  const raw = (high - low) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw - 1e-12) ?? power * 10;
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n += 1) found.push(n * step);
  return { step, found };
}

const SECONDS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];

/** Steps of time that a clock would show. */
export function timeSteps(low, high, most) {
  const raw = (high - low) / Math.max(1, most);
  const step = SECONDS.find((n) => n >= raw) ?? 3600 * Math.ceil(raw / 3600);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + 1e-9; n += 1) found.push(n * step);
  return { step, found };
}

/** Powers of ten between two values above zero; with 2 and 5 where there are few. */
export function powers(low, high) {
  const found = [];
  const few = Math.log10(high / low) < 2;
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power += 1) {
    for (const n of few ? [1, 2, 5] : [1]) {
      const value = n * 10 ** power;
      if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
    }
  }
  return found;
}

/**
 * An extent that follows what is seen: it grows at once and shrinks slowly, so that a picture does not jump.
 */
export class Extent {
  low = NaN;
  high = NaN;

  follow(low, high) {
    if (!Number.isFinite(low) || !Number.isFinite(high)) return;
    if (!(this.high > this.low)) {
      [this.low, this.high] = [low, high];
      return;
    }
    this.low = low < this.low ? low : this.low + 0.06 * (low - this.low);
    this.high = high > this.high ? high : this.high + 0.06 * (high - this.high);
  }

  /** With room at both ends; of one value a little of both sides. */
  padded(share = 0.08) {
    const least = Math.max(Math.abs(this.low), Math.abs(this.high)) * 1e-3 || 1;
    const pad = Math.max((this.high - this.low) * share, (this.high - this.low) < least ? least : 0);
    return Number.isFinite(this.low) ? [this.low - pad, this.high + pad] : [-1, 1];
  }
}
