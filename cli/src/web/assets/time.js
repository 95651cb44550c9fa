// Where the time of frames goes: what the latency at each sink is made of, and what limits the run. All of the last seconds.

import { clock, counted, element, say, span } from "./words.js";

/** Parts in the order in which they stand, with what a node tells of them. */
const PARTS = ["waiting", "computing", "moving"];
const WAITS = ["ring", "join", "turn", "answer"];
/** Nodes that a table tells one by one; the others are few per cent together. */
const NODES_MAX = 8;

export const share = (of) => {
  const percent = 100 * of;
  return percent >= 9.95 ? `${percent.toFixed(0)} %` : percent >= 0.095 || percent === 0 ? `${percent.toFixed(1)} %` : "<0.1 %";
};

const all = (parts) => PARTS.reduce((sum, part) => sum + parts[`${part}_ns`], 0);

/** Where parts and the latency that was measured differ by more than a hundredth of it: by how much, in words. */
function off(measuredNs, partsNs) {
  const missing = measuredNs - partsNs;
  if (Math.abs(missing) <= Math.max(0.01 * measuredNs, 3)) return "";
  return `${span(Math.abs(missing))} ${missing > 0 ? "of it not accounted for" : "more than was measured"}`;
}

/** Words with what stands between backticks as code. */
const quoted = (text) => text.split("`").map((part, n) => (n % 2 ? element("code", {}, part) : part));

/** What was waited for, the longest first, with `write` for how long. */
function waits(parts, write) {
  const each = WAITS.map((what) => [what, parts[`${what}_ns`]]).filter(([, ns]) => ns >= 0.5);
  return each.sort((a, b) => b[1] - a[1]).map(([what, ns]) => `${what} ${write(ns)}`).join(", ");
}

const svg = (name, attributes = {}) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, said] of Object.entries(attributes)) made.setAttribute(key, said);
  return made;
};

/** One latency: how long, a bar whose whole is that (what is not accounted for stays empty), and the same in words. */
class Way {
  constructor(name) {
    this.name = element("span", { class: "faint" }, name);
    this.takes = element("b");
    this.bar = svg("svg", { class: "bar", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" });
    this.rects = PARTS.map((part) => svg("rect", { class: part, y: 0, height: 10 }));
    this.bar.append(...this.rects);
    this.said = PARTS.map(() => element("span"));
    this.off = element("span", { class: "warn" });
    const words = PARTS.map((part, n) => element("span", { class: "keyed" }, element("i", { class: `key ${part}` }), this.said[n]));
    this.host = element("div", { class: "way" }, element("p", {}, this.name, " ", this.takes), this.bar, element("p", { class: "keys" }, ...words, this.off));
  }

  show(way) {
    const whole = way.latency_ns || 1;
    const parts = all(way);
    say(this.takes, span(way.latency_ns));
    say(this.off, off(way.latency_ns, parts));
    let from = 0;
    PARTS.forEach((part, n) => {
      const wide = (1000 * way[`${part}_ns`]) / Math.max(whole, parts);
      this.rects[n].setAttribute("x", from.toFixed(1));
      this.rects[n].setAttribute("width", wide.toFixed(1));
      from += wide;
      const of = part === "waiting" ? waits(way, (ns) => share(ns / whole)) : "";
      say(this.said[n], `${part} ${share(way[`${part}_ns`] / whole)}${of ? ` (${of})` : ""}`);
    });
  }
}

/** What is known of one sink. */
class Sink {
  constructor(name, choose) {
    this.choose = choose;
    this.when = element("span", { class: "hint" });
    this.mean = new Way("on the mean");
    this.slowest = new Way("the slowest 1 %");
    this.rows = element("tbody");
    const heads = ["node", "share", "takes", ...PARTS, "waits for"];
    const head = element("thead", {}, element("tr", {}, ...heads.map((of) => element("th", { scope: "col" }, of))));
    this.nodes = element("details", {}, element("summary", {}, "Nodes on the way"), element("div", { class: "scroll" }, element("table", { class: "legs" }, head, this.rows)));
    this.host = element("div", { class: "sink-time", "data-time": name }, element("h3", {}, name, " ", this.when), this.mean.host, this.slowest.host, this.nodes);
  }

  show(sink, spanS) {
    say(this.when, sink.age_s === null ? `${counted(sink.frames, "frame")} followed in ${spanS.toFixed(1)} s` : `nothing lately: the last, ${clock(sink.age_s)} ago`);
    say(this.mean.name, sink.frames > 1 ? "on the mean" : "alone");
    this.mean.show(sink.mean);
    this.slowest.host.hidden = sink.frames <= 1;
    this.slowest.show(sink.slowest);
    const shown = sink.mean.nodes.slice(0, NODES_MAX);
    const others = sink.mean.nodes.slice(NODES_MAX);
    const rest = sink.mean.rest;
    const more = others.length + rest.nodes;
    const time = (ns) => (ns < 0.5 ? "–" : span(ns));
    const rows = shown.map((leg) => [leg.node, share(leg.share), time(all(leg)), ...PARTS.map((part) => time(leg[`${part}_ns`])), waits(leg, span)]);
    if (more) rows.push([`and ${more} more`, share(others.reduce((sum, leg) => sum + leg.share, rest.share)), "", "", "", "", ""]);
    this.#write(rows, shown.length);
  }

  /** Rows that stay are written anew cell by cell, so that whoever reads them keeps his place. */
  #write(rows, known) {
    while (this.rows.children.length > rows.length) this.rows.lastChild.remove();
    while (this.rows.children.length < rows.length) {
      const node = element("button", { type: "button", class: "quiet", onclick: (event) => this.choose(event.target.textContent) });
      this.rows.append(element("tr", {}, element("th", { scope: "row" }, node), ...Array.from({ length: PARTS.length + 3 }, () => element("td"))));
    }
    rows.forEach(([name, ...cells], n) => {
      const row = this.rows.children[n];
      say(row.firstChild.firstChild, name);
      row.firstChild.firstChild.disabled = n >= known;
      cells.forEach((text, k) => say(row.children[k + 1], text));
    });
  }
}

export class TimePanel {
  /** In `hosts`: the section, the sentence of what limits and what to change, and the sinks; `choose(name)` is called for a node. */
  constructor(hosts, choose) {
    this.hosts = hosts;
    this.choose = choose;
    this.sinks = new Map();
    /** By node: the sink at which it has most of the latency, and what it has of it. */
    this.legs = new Map();
  }

  /** What is told once a second. */
  take(time) {
    this.legs.clear();
    for (const sink of time?.sinks ?? []) {
      for (const leg of sink.mean.nodes) {
        if (!(this.legs.get(leg.node)?.leg.share >= leg.share)) this.legs.set(leg.node, { sink, leg });
      }
    }
    const { hosts } = this;
    hosts.section.hidden = hosts.limits.hidden = !time;
    if (!time) return;
    this.#sentence(hosts.limit, time.limit ? time.limit.said : "too little has been seen yet");
    hosts.limit.className = !time.limit || time.limit.cause === "nothing" ? "faint" : "";
    this.#sentence(hosts.change, time.limit?.change ? `· Change ${time.limit.change}` : "");
    for (const sink of time.sinks) {
      if (!this.sinks.has(sink.node)) this.#add(sink.node);
      this.sinks.get(sink.node).show(sink, time.span_s);
    }
    for (const [name, sink] of this.sinks) sink.host.hidden = !time.sinks.some(({ node }) => node === name);
    const lost = [[time.broken, "frame"], [time.lost, "step"]].filter(([number]) => number).map(([number, what]) => counted(number, what));
    say(hosts.none, time.sinks.length ? (lost.length ? `Without ${lost.join(" and ")} of which not all is known.` : "") : "No frame that was followed has come to a sink yet.");
    hosts.none.hidden = !hosts.none.textContent;
  }

  #sentence(where, text) {
    if (where.dataset.said === text) return;
    where.dataset.said = text;
    where.replaceChildren(...quoted(text));
  }

  #add(name) {
    const sink = new Sink(name, this.choose);
    sink.nodes.open = this.sinks.size === 0;
    this.sinks.set(name, sink);
    this.hosts.sinks.append(sink.host);
  }

  /** The sink at which a node has most of the latency, and what it has of it; nothing if it has little of any. */
  legOf(name) {
    return this.legs.get(name);
  }

  /** The same in words; empty if there is nothing to tell. */
  wordsOf(name) {
    const found = this.legOf(name);
    if (!found) return "";
    const { sink, leg } = found;
    const waited = waits(leg, span);
    return `${share(leg.share)} of ${span(sink.mean.latency_ns)} at ${sink.node}: ${waited ? `waiting for ${waited}, ` : ""}`
      + `computing ${span(leg.computing_ns)}, moving ${span(leg.moving_ns)}`;
  }
}
