// Panels: a card for each output that is shown, with its plot and what it tells.

import { Plot, colour, digitsOf } from "./plot.js";
import { Track, floats } from "./track.js";
import { clock, element, fixed, format, say, unitOf, value } from "./words.js";

const SECONDS_KEPT = 62;
const POINTS_MAX = 65_536;
const EVENTS_KEPT = 4096;
const GAPS_KEPT = 32;
/** A part that begins so many steps behind the last point has something missing before it. */
const HOLE_STEPS = 3;
const ROWS = 8;
/** A channel among several has so much of a plot. */
const LANE_PX = 52;
/** Numbers of events are seen over so many times the window: they come once a second, or less often. */
const WIDER = 6;

/** What has come by at one output, however it is shown. */
export class Shown {
  constructor(offered) {
    this.offered = offered;
    this.tracks = [];
    this.gaps = [];
    this.newest = [];
    this.about = null;
    this.refused = null;
    this.missed = 0;
    const { signal, event } = offered.format;
    if (signal) {
      const capacity = Math.min(POINTS_MAX, Math.max(512, Math.ceil(SECONDS_KEPT * Math.min(signal.rate_hz, 1000))));
      this.tracks = signal.channels.map(([name, unit]) => ({ name, unit: unitOf(unit), track: new Track(capacity) }));
    } else if (event) {
      this.marks = new Track(EVENTS_KEPT);
      const numbers = event.fields.filter(([, kind]) => kind === "f64" || kind === "i64");
      const measures = new Map(offered.measures.map(([field, what, unit]) => [field, { what, unit }]));
      this.tracks = numbers.map(([name]) => ({ name, unit: measures.get(name)?.unit ?? "",
        what: measures.get(name)?.what ?? name, track: new Track(EVENTS_KEPT) }));
    }
  }

  get end() {
    return this.offered.format.signal ? Math.max(...this.tracks.map(({ track }) => track.end)) : -Infinity;
  }

  take(told) {
    this.refused = told.refused ?? null;
    this.missed += told.missed ?? 0;
    if (told.signal) this.#signal(told.signal);
    for (const line of told.events?.lines ?? []) this.#event(line);
    if (told.about) this.about = told.about;
  }

  #signal({ step_s, pairs, parts }) {
    for (const part of parts) {
      // Ticks that were lost, or a connection that was: what follows there does not follow here.
      const hole = part.follows && this.end > -Infinity && part.t_s - this.end > HOLE_STEPS * step_s;
      const gap = part.gap ?? (hole ? "missed here" : null);
      if (gap) {
        this.gaps.push({ time: part.t_s, text: gap });
        if (this.gaps.length > GAPS_KEPT) this.gaps.shift();
      }
      part.channels.forEach((text, channel) => {
        const { track } = this.tracks[channel] ?? {};
        if (!track) return;
        if (hole || !part.follows) track.break(part.t_s);
        const values = floats(text);
        if (pairs) {
          for (let n = 0; n + 1 < values.length; n += 2) track.push(part.t_s + (n / 2) * step_s, values[n], values[n + 1]);
        } else {
          for (let n = 0; n < values.length; n += 1) track.push(part.t_s + n * step_s, values[n]);
        }
      });
    }
  }

  #event(line) {
    this.marks.push(line.t_s, 0);
    for (const { name, track } of this.tracks) {
      if (typeof line[name] === "number") track.push(line.t_s, line[name]);
    }
    this.newest.unshift(line);
    this.newest.length = Math.min(this.newest.length, ROWS);
  }
}

/** A card with the plot of a signal. */
export class SignalPanel {
  constructor(shown, marks, close) {
    this.shown = shown;
    const { label, format: told } = shown.offered;
    this.values = shown.tracks.map(() => element("output"));
    const keys = shown.tracks.map(({ name }, n) => key(colour(n), name === label || /^\d+$/.test(name) ? `${shown.tracks.length > 1 ? name : "now"}` : name, this.values[n]));
    const beats = marks.map(({ label: of }, n) => key(colour(7 - n), of));
    this.note = element("span", { class: "warn" });
    this.when = element("output", { class: "faint" });
    const { others } = shown.offered;
    this.card = card(label, `${format(told)}${others ? `; ${others} more are not shown` : ""}`, element("span", { class: "keys" }, ...keys, this.when, ...beats, this.note), close);
    const units = new Set(shown.tracks.map(({ unit }) => unit));
    this.plot = new Plot(this.card, {
      unit: units.size === 1 ? [...units][0] : "", lanes: true, label: `Waveform of ${label}`,
      height: shown.tracks.length > 2 ? LANE_PX * shown.tracks.length + 36 : 150,
      told: (time, points) => this.#tell(time, points),
    });
    this.plot.lines = shown.tracks.map(({ track, unit }, n) => ({ track, unit, colour: colour(n) }));
    this.plot.marks = marks.map(({ shown: of }, n) => ({ marks: of.marks, colour: colour(7 - n) }));
    this.plot.gaps = shown.gaps;
    this.card.dataset.output = label;
  }

  #tell(time, points) {
    this.shown.tracks.forEach(({ track, unit }, n) => {
      const of = time === null ? track.last : points[n]?.high;
      say(this.values[n], fixed(of, digitsOf(this.plot, n), unit));
    });
    say(this.when, moment(time));
  }

  show(end, span) {
    this.plot.show(end, span);
    say(this.note, this.shown.refused ?? (this.shown.missed ? `${this.shown.missed} frames missed` : ""));
  }

  remove() {
    this.plot.remove();
    this.card.remove();
  }
}

/** A card with a number that events tell, over a longer time. */
export class NumberPanel {
  constructor(shown, field, close) {
    this.shown = shown;
    const { label } = shown.offered;
    this.pick = element("select", { "aria-label": `Field of ${label}`, onchange: () => this.#choose(this.pick.value) },
      ...shown.tracks.map(({ name, what, unit }) => element("option", { value: name }, unit ? `${words(what)}, ${unit}` : words(what))));
    this.value = element("output");
    this.note = element("span", { class: "warn" });
    this.when = element("output", { class: "faint" });
    this.card = card(label, "", element("span", { class: "keys" }, this.pick, key(colour(1), "now", this.value), this.when, this.note), close);
    this.plot = new Plot(this.card, { height: 120, label: `A number that ${label} tells`, reach: 2,
      told: (time, points) => this.#tell(time, points) });
    this.card.dataset.output = label;
    this.pick.value = field;
    this.#choose(field);
  }

  #choose(field) {
    this.of = this.shown.tracks.find(({ name }) => name === field) ?? this.shown.tracks[0];
    this.plot.options.unit = this.of.unit;
    this.plot.refit();
    this.plot.lines = [{ track: this.of.track, colour: colour(1), dots: true }];
    this.plot.draw();
  }

  #tell(time, points) {
    const { track, unit } = this.of;
    say(this.value, value(time === null ? track.last : points[0]?.high, unit));
    say(this.when, moment(points[0]?.time ?? time));
  }

  show(end, span) {
    // Where no signal says how far time is, events do.
    this.plot.show(Number.isFinite(end) ? end : this.of.track.end, WIDER * span);
    say(this.note, this.shown.refused ?? "");
  }

  remove() {
    this.plot.remove();
    this.card.remove();
  }
}

/** A card with the newest events, or with what a tensor is about. */
export class ListPanel {
  constructor(shown, close) {
    this.shown = shown;
    this.list = element("div", { class: "scroll" });
    const { label, format: told } = shown.offered;
    this.card = card(label, format(told), "", close);
    this.card.append(this.list);
    this.card.dataset.output = label;
  }

  show() {
    list(this.list, this.shown);
  }

  remove() {
    this.card.remove();
  }
}

/** Writes the newest events, or what a tensor is about, into an element. */
export function list(where, shown) {
  const { about, newest, refused } = shown;
  const mark = JSON.stringify(refused ?? about ?? newest[0]?.t_s ?? null);
  if (where.dataset.mark === mark) return;
  where.dataset.mark = mark;
  if (refused) return where.replaceChildren(element("p", { class: "warn" }, refused));
  if (about) {
    const text = `${about.shape.join(" × ")} at ${value(about.t_s)} s: ${value(about.min)} to ${value(about.max)}, mean ${value(about.mean)}`;
    return where.replaceChildren(element("p", {}, text));
  }
  if (!newest.length) return where.replaceChildren(element("p", { class: "faint" }, "nothing has come yet"));
  const fields = shown.offered.format.event.fields.map(([name]) => name);
  const head = element("tr", {}, ...["t_s", ...fields].map((name) => element("th", { scope: "col" }, name)));
  const row = (line) => element("tr", {}, ...["t_s", ...fields].map((name) => element("td", {}, cell(line[name]))));
  return where.replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...newest.map(row))));
}

function cell(of) {
  if (typeof of === "number") return value(of);
  if (of === undefined || of === null) return "–";
  const text = typeof of === "string" ? of : JSON.stringify(of);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** When what is read out was. */
const moment = (time) => (time === null || time === undefined ? "" : `at ${clock(time, 0.01)}`);

const words = (name) => name.replaceAll("_", " ");

function key(paint, text, output) {
  const dot = element("i", { class: "key" });
  dot.style.background = paint;
  return element("span", { class: "keyed" }, dot, text, output ? " " : "", output ?? "");
}

function card(title, hint, legend, close) {
  const shut = close && element("button", { type: "button", class: "quiet", title: `Hide ${title}`, "aria-label": `Hide ${title}`, onclick: close }, "×");
  return element("article", { class: "card panel", "aria-label": title },
    element("div", { class: "head" }, element("h2", {}, title, " ", element("span", { class: "hint" }, hint)), legend, shut));
}
