// A plot on a canvas: lines over time with the least and the largest of each column of pixels, marks, limits,
// axes in units, and what is under the pointer.

import { Extent, powers, steps, timeSteps } from "./axes.js";
import { ink, onChange, resolved } from "./ink.js";
import { gaps, limits, marks } from "./overlay.js";
import { clock, value } from "./words.js";

export { colour } from "./ink.js";

const LEFT = 58;
const RIGHT = 10;
const TOP = 16;
const BOTTOM = 20;

export class Plot {
  /**
   * In `host`; `told(time)` is called with what is under the pointer, or with null. Of `options`: `height`, `unit`,
   * `logarithmic`, `zero` (the axis begins there), `lanes` (one for each of several lines), `write` (a value as text), `label` for those who cannot see it.
   */
  constructor(host, options) {
    this.options = { height: 130, unit: "", write: null, ...options };
    this.lines = [];
    this.marks = [];
    this.limits = [];
    this.gaps = [];
    this.extents = new Map();
    this.end = -Infinity;
    this.span = 10;
    this.pointer = null;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "plot";
    this.canvas.style.height = `${this.options.height}px`;
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", this.options.label ?? "");
    host.append(this.canvas);
    this.context = this.canvas.getContext("2d");
    this.#listen();
    this.forget = onChange(() => this.draw());
  }

  /** Ends it; what it stood in goes with it. */
  remove() {
    this.sized.disconnect();
    this.forget();
    this.canvas.remove();
  }

  #listen() {
    const { canvas } = this;
    this.sized = new ResizeObserver(() => this.draw());
    this.sized.observe(canvas);
    const at = (x) => {
      this.pointer = x;
      this.draw();
    };
    canvas.addEventListener("pointermove", (event) => at(event.offsetX));
    canvas.addEventListener("pointerleave", () => at(null));
    canvas.addEventListener("blur", () => at(null));
    canvas.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by) {
        const x = this.pointer ?? canvas.clientWidth - RIGHT;
        at(Math.min(canvas.clientWidth - RIGHT, Math.max(LEFT, x + by * (event.shiftKey ? 20 : 4))));
        event.preventDefault();
      } else if (event.key === "Escape") at(null);
    });
  }

  /** Draws what there is of the `span` seconds before `end`. */
  show(end, span) {
    [this.end, this.span] = [end, span];
    this.draw();
  }

  draw() {
    const { canvas, context } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width || !height) return;
    const ratio = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.box = { x: LEFT, y: TOP, width: width - LEFT - RIGHT, height: height - TOP - BOTTOM, ratio };
    const time = Number.isFinite(this.end) ? this.end : this.span;
    this.start = Math.max(time - this.span, this.options.earliest ?? -Infinity);
    // A run that has only begun fills its picture from the left.
    if (this.start < 0) this.start = 0;
    this.stop = this.start + this.span;
    this.#follow();
    this.#grid();
    gaps(this);
    marks(this);
    context.save();
    context.beginPath();
    context.rect(this.box.x, this.box.y - 2, this.box.width, this.box.height + 4);
    context.clip();
    limits(this);
    this.lines.forEach((line, n) => this.#line(line, this.lane(n)));
    context.restore();
    this.#hover();
  }

  /** Begins anew to fit the axis to what is seen. */
  refit() {
    this.extents.clear();
  }

  /** Whether every line has a lane of its own: more than two hide each other. */
  get hasLanes() {
    return Boolean(this.options.lanes) && this.lines.length > 2;
  }

  /** Fits the axes to what is seen: lanes of one unit have one scale. */
  #follow() {
    const { logarithmic, zero } = this.options;
    const scales = new Map();
    const scaleOf = (line) => (this.hasLanes ? line.unit ?? "" : "");
    for (const line of this.lines) {
      const of = scales.get(scaleOf(line)) ?? [Infinity, -Infinity];
      scales.set(scaleOf(line), of);
      widen(of, line.track, this.start, this.stop);
    }
    if (!scales.size) scales.set("", [Infinity, -Infinity]);
    const ranges = new Map();
    for (const [scale, of] of scales) {
      let [low, high] = of;
      for (const { value: limit, isSeen } of this.limits) {
        if (isSeen) [low, high] = [Math.min(low, limit), Math.max(high, limit)];
      }
      if (zero) [low, high] = [Math.min(0, low), Math.max(high, zero)];
      const extent = this.extents.get(scale) ?? new Extent();
      this.extents.set(scale, extent);
      extent.follow(low, high);
      let range = extent.padded();
      if (zero) range[0] = 0;
      if (logarithmic) range = extent.high > 0 ? [Math.max(extent.low, 1) / 1.6, extent.high * 1.6] : [1e3, 1e6];
      ranges.set(scale, range);
    }
    const [first] = ranges.values();
    this.ranges = this.hasLanes ? this.lines.map((line) => ranges.get(scaleOf(line))) : [first];
  }

  /** Where the axis of the nth line is, and from where to where it goes. */
  lane(n) {
    const { box } = this;
    if (!this.hasLanes) return { y: box.y, height: box.height, range: this.ranges[0] };
    const height = box.height / this.lines.length;
    return { y: box.y + n * height + 5, height: height - 10, range: this.ranges[n] };
  }

  x(time) {
    return this.box.x + ((time - this.start) / this.span) * this.box.width;
  }

  y(of, { y, height, range: [low, high] } = this.lane(0)) {
    const share = this.options.logarithmic
      ? Math.log(Math.max(of, 1e-9) / low) / Math.log(high / low)
      : (of - low) / (high - low);
    return y + (1 - share) * height;
  }

  #grid() {
    const { context, box } = this;
    const { grid, text } = ink();
    context.font = "11px system-ui, 'DejaVu Sans', sans-serif";
    context.lineWidth = 1;
    context.strokeStyle = grid;
    context.fillStyle = text;
    const sharp = (at) => Math.round(at) + 0.5;
    const isEmpty = this.lines.every(({ track }) => !track.length);
    const write = this.options.write ?? ((of) => value(of));
    if (isEmpty) {
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillText("nothing has come yet", box.x + box.width / 2, box.y + box.height / 2);
    }
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.beginPath();
    for (let n = 0; n < this.ranges.length && !isEmpty; n += 1) {
      const lane = this.lane(n);
      const [low, high] = lane.range;
      const many = this.options.logarithmic ? powers(low, high) : steps(low, high, Math.max(5, lane.height / 24)).found;
      // A lane has room for two.
      for (const of of this.hasLanes && many.length > 2 ? [many[0], many.at(-1)] : many) {
        const y = sharp(this.y(of, lane));
        context.moveTo(box.x, y);
        context.lineTo(box.x + box.width, y);
        context.fillText(write(of), box.x - 6, y);
      }
    }
    const { step, found: times } = timeSteps(this.start, this.stop, Math.max(2, box.width / 90));
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const time of times) {
      const x = sharp(this.x(time));
      context.moveTo(x, box.y);
      context.lineTo(x, box.y + box.height);
      // At the very edge a time would be cut off.
      if (x < box.x + box.width - 12) context.fillText(clock(time, step), x, box.y + box.height + 5);
    }
    context.stroke();
    if (this.options.unit) {
      context.textAlign = "right";
      context.fillText(this.options.unit, box.x - 6, 0);
    }
  }

  /** A line: of all points in a column of pixels the first, least, largest and last. */
  #line({ track, colour, dots }, lane) {
    const { context, box, start, stop } = this;
    const each = this.span / (box.width * box.ratio);
    context.strokeStyle = context.fillStyle = resolved(colour);
    context.lineWidth = 1.4;
    context.lineJoin = "round";
    context.beginPath();
    let [isDown, before] = [false, 0];
    const to = (time, of) => {
      if (isDown) context.lineTo(this.x(time), this.y(of, lane));
      else context.moveTo(this.x(time), this.y(of, lane));
      [isDown, before] = [true, of];
    };
    // One before and one behind what is seen, so that lines reach the edges.
    for (let n = Math.max(0, track.from(start) - 1); n < track.length;) {
      let at = track.index(n);
      const time = track.times[at];
      if (Number.isNaN(track.lows[at])) {
        isDown = false;
        n += 1;
        continue;
      }
      let [low, high, last] = [track.lows[at], track.highs[at], at];
      for (n += 1; n < track.length; n += 1) {
        at = track.index(n);
        if (track.times[at] >= time + each || Number.isNaN(track.lows[at])) break;
        low = Math.min(low, track.lows[at]);
        high = Math.max(high, track.highs[at]);
        last = at;
      }
      // The nearer end first, so that a slope is no staircase.
      const isRising = !isDown || before - low <= high - before;
      to(time, isRising ? low : high);
      if (high > low) to(track.times[last], isRising ? high : low);
      if (time > stop) break;
    }
    context.stroke();
    if (!dots) return;
    for (let n = track.from(start); n < track.length; n += 1) {
      const at = track.index(n);
      if (Number.isNaN(track.lows[at])) continue;
      context.beginPath();
      context.arc(this.x(track.times[at]), this.y(track.lows[at], lane), 2.4, 0, 2 * Math.PI);
      context.fill();
    }
  }

  /** The moment under the pointer, and what the lines are there. */
  #hover() {
    const { context, box, pointer } = this;
    const isOver = pointer !== null && pointer >= box.x && pointer <= box.x + box.width;
    const time = isOver ? this.start + ((pointer - box.x) / box.width) * this.span : null;
    const reach = Math.max(this.span / 40, this.options.reach ?? 0);
    const points = this.lines.map((line) => (isOver ? line.track.near(time, reach) : null));
    if (isOver) {
      context.strokeStyle = ink().hover;
      context.globalAlpha = 0.5;
      context.beginPath();
      context.moveTo(Math.round(pointer) + 0.5, box.y);
      context.lineTo(Math.round(pointer) + 0.5, box.y + box.height);
      context.stroke();
      context.globalAlpha = 1;
      points.forEach((point, n) => {
        if (!point) return;
        context.fillStyle = resolved(this.lines[n].colour);
        context.beginPath();
        context.arc(this.x(point.time), this.y(point.high, this.lane(n)), 3.5, 0, 2 * Math.PI);
        context.fill();
      });
    }
    this.options.told?.(time, points);
  }
}

/** Widens an extent to what a track has between two times. */
function widen(extent, track, start, stop) {
  for (let n = track.from(start); n < track.length; n += 1) {
    const at = track.index(n);
    if (track.times[at] > stop) return;
    if (track.lows[at] < extent[0]) extent[0] = track.lows[at];
    if (track.highs[at] > extent[1]) extent[1] = track.highs[at];
  }
}

/** As many digits as tell a thousandth of what is seen: a number that moves keeps its width. */
export function digitsOf(plot, line = 0) {
  const [low, high] = plot.ranges?.[line] ?? plot.ranges?.[0] ?? [0, 0];
  return high > low ? Math.min(9, Math.max(0, Math.ceil(-Math.log10((high - low) / 1000) - 0.5))) : 3;
}
