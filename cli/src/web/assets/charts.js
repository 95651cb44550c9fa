// Latency and drops over time, and how often how late.

import { powers } from "./axes.js";
import { ink, onChange } from "./ink.js";
import { Plot, colour } from "./plot.js";
import { Track } from "./track.js";
import { count, counted, element, rate, say, span, tick } from "./words.js";

/** Ten a second. */
const KEPT = 1300;
const SECONDS = 120;
/** Steps of the histogram in a factor of two; those that come are 32. */
const BARS = 4;

function keyed(paint, text, output) {
  const dot = element("i", { class: "key" });
  dot.style.background = paint;
  return element("span", { class: "keyed" }, dot, `${text} `, output);
}

/** Latency at a sink: median, 99 % and largest of the last five seconds, against what is allowed. */
export class LatencyChart {
  constructor(hosts) {
    this.hosts = hosts;
    this.sink = 0;
    this.sinks = [];
    this.kinds = ["p50", "p99", "max"];
    this.outputs = this.kinds.map(() => element("output"));
    const legend = element("p", { class: "keys" }, ...this.kinds.map((kind, n) => keyed(colour(n), kind, this.outputs[n])));
    hosts.over.append(legend);
    this.plot = new Plot(hosts.over, { logarithmic: true, height: 130, write: tick, label: "Latency over time",
      told: (time, points) => this.#tell(time, points) });
    this.bars = element("canvas", { class: "plot", role: "img", "aria-label": "How often how late" });
    this.bars.style.height = "92px";
    this.ever = element("p", { class: "faint" });
    hosts.histogram.append(this.bars, this.ever);
    hosts.pick.addEventListener("change", () => {
      this.isChosen = true;
      this.sink = Number(hosts.pick.value);
      this.#choose();
    });
    onChange(() => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(this.bars);
  }

  take(now, all) {
    while (this.sinks.length < now.sinks.length) this.#add(now.sinks[this.sinks.length].node);
    now.sinks.forEach((sink, n) => {
      const of = sink.lately;
      this.sinks[n].tracks.forEach((track, k) => track.push(now.at_s, of ? of[`${this.kinds[k]}_ns`] : NaN));
    });
    this.now = now;
    if (all) this.counts = all.counts;
    if (all && !this.isChosen) this.#worst(now);
  }

  /** Until somebody chooses, the sink that is latest of what it is allowed is shown. */
  #worst(now) {
    const share = ({ lately, deadline_ms: limit }) => (lately ? lately.p99_ns / ((limit ?? 1e6) * 1e6) : -1);
    const worst = now.sinks.reduce((best, sink, n) => (share(sink) > share(now.sinks[best]) ? n : best), 0);
    if (worst === this.sink || share(now.sinks[worst]) < 2 * share(now.sinks[this.sink])) return;
    this.sink = worst;
    this.hosts.pick.value = String(worst);
    this.#choose();
  }

  #add(name) {
    this.sinks.push({ name, tracks: this.kinds.map(() => new Track(KEPT)) });
    this.hosts.pick.append(element("option", { value: this.sinks.length - 1 }, name));
    this.hosts.label.hidden = this.sinks.length < 2;
    if (this.sinks.length === 1) this.#choose();
  }

  #choose() {
    this.plot.lines = this.sinks[this.sink].tracks.map((track, n) => ({ track, colour: colour(n) }));
    this.plot.refit();
    this.show();
  }

  #tell(time, points) {
    const tracks = this.sinks[this.sink]?.tracks ?? [];
    tracks.forEach((track, n) => say(this.outputs[n], span(time === null ? track.last : points[n]?.high ?? NaN)));
  }

  show() {
    const sink = this.now?.sinks[this.sink];
    if (!sink) return;
    const limit = sink.deadline_ms;
    this.plot.limits = limit ? [{ value: limit * 1e6, text: `deadline ${span(limit * 1e6)}`, colour: "bad", isSeen: true }] : [];
    this.plot.show(this.now.at_s, SECONDS);
    this.#draw();
    const ever = sink.since_start;
    say(this.ever, ever ? `${counted(sink.frames, "frame")}: p50 ${span(ever.p50_ns)}, p99 ${span(ever.p99_ns)}, max ${span(ever.max_ns)}`
      : "no frame has arrived yet");
  }

  /** Bars on a scale of factors, with what is allowed. */
  #draw() {
    const { bars } = this;
    const [width, height] = [bars.clientWidth, bars.clientHeight];
    const told = this.counts?.sinks[this.sink];
    if (!width || !told) return;
    const ratio = window.devicePixelRatio || 1;
    [bars.width, bars.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    const context = bars.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const merged = new Map();
    for (const [end, frames] of told.latency.steps) {
      const bin = Math.floor(Math.log2(Math.max(end, 1)) * BARS);
      merged.set(bin, (merged.get(bin) ?? 0) + frames);
    }
    if (!merged.size) return;
    const limit = told.deadline_ns ?? 0;
    const edge = (bin) => 2 ** (bin / BARS);
    const all = [...merged.keys()];
    const low = edge(Math.min(...all)) / 1.3;
    const high = Math.max(edge(Math.max(...all) + 1), limit) * 1.3;
    const [left, bottom] = [10, height - 18];
    const x = (ns) => left + (Math.log(ns / low) / Math.log(high / low)) * (width - 2 * left);
    const most = Math.max(...merged.values());
    context.font = "11px system-ui, 'DejaVu Sans', sans-serif";
    context.textAlign = "center";
    context.textBaseline = "top";
    context.fillStyle = ink().text;
    for (const ns of powers(low, high)) context.fillText(tick(ns), x(ns), bottom + 4);
    for (const [bin, frames] of merged) {
      context.fillStyle = limit && edge(bin) >= limit ? ink().bad : ink().series[0];
      // One frame among a million is seen, too.
      const tall = Math.max(2, (frames / most) * (bottom - 14));
      context.fillRect(x(edge(bin)) + 0.5, bottom - tall, Math.max(1, x(edge(bin + 1)) - x(edge(bin)) - 1), tall);
    }
    context.fillStyle = ink().grid;
    context.fillRect(left, bottom, width - 2 * left, 1);
    if (limit) {
      context.fillStyle = ink().bad;
      context.fillRect(x(limit), 8, 1.5, bottom - 8);
      context.textAlign = "right";
      context.fillText(`deadline ${span(limit)}`, x(limit) - 5, 4);
    }
  }
}

/** Frames that were dropped, by reason. */
export class DropsChart {
  constructor(host) {
    this.reasons = new Map();
    this.nothing = element("p", { class: "faint" }, "Nothing has been dropped.");
    this.legend = element("p", { class: "keys" });
    this.box = element("div", { hidden: true });
    host.append(this.nothing, this.legend, this.box);
    this.plot = new Plot(this.box, { height: 110, unit: "per s", zero: 1, write: rate, label: "Frames dropped a second, by reason" });
    this.looks = [];
  }

  take(now) {
    const totals = new Map();
    for (const { reasons } of now.edges) {
      for (const [why, frames] of reasons) totals.set(why, (totals.get(why) ?? 0) + frames);
    }
    this.looks.push({ at: now.at_s, totals });
    while (this.looks.length > 11) this.looks.shift();
    const before = this.looks[0];
    const over = now.at_s - before.at;
    for (const why of totals.keys()) if (!this.reasons.has(why)) this.#add(why);
    for (const [why, { track, output }] of this.reasons) {
      const lost = (totals.get(why) ?? 0) - (before.totals.get(why) ?? 0);
      if (over > 0) track.push(now.at_s, Math.max(0, lost) / over);
      say(output, `${count(totals.get(why) ?? 0)}`);
    }
    this.end = now.at_s;
  }

  #add(why) {
    const [track, output, paint] = [new Track(KEPT), element("output"), colour(this.reasons.size + 3)];
    this.reasons.set(why, { track, output });
    this.plot.lines.push({ track, colour: paint });
    this.legend.append(keyed(paint, why, output));
    this.nothing.hidden = true;
    this.box.hidden = false;
  }

  show() {
    if (this.reasons.size) this.plot.show(this.end, SECONDS);
  }
}
