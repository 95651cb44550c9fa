// Everything known about the node that is chosen.

import { knob } from "./control.js";
import { troubleOf } from "./graph.js";
import { list } from "./panels.js";
import { Plot, colour, digitsOf } from "./plot.js";
import { share } from "./time.js";
import { count, element, fixed, format, rate, say, span, value } from "./words.js";

export class Details {
  /** In `host`; `page` is what the node is looked up in, and does what is asked. */
  constructor(host, page) {
    this.host = host;
    this.page = page;
    this.node = null;
    this.plots = [];
  }

  /** The outputs that it shows. */
  get outputs() {
    return this.node ? this.node.outputs.map(({ label }) => label) : [];
  }

  /** Shows a node, or none. */
  open(node) {
    this.plots.forEach((plot) => plot.remove());
    this.plots = [];
    this.node = node;
    this.host.hidden = !node;
    if (!node) return;
    const { page } = this;
    const close = element("button", { type: "button", class: "quiet", "aria-label": "Close", title: "Close (Escape)", onclick: () => page.choose(null) }, "×");
    this.rows = new Map();
    const table = element("dl", { class: "facts" });
    for (const name of ["frames", "runs", "delay", "source", "latency", "time", "faults", "last fault"]) {
      const [key, said] = [element("dt", {}, name), element("dd")];
      this.rows.set(name, { key, said });
      table.append(key, said);
    }
    this.host.replaceChildren(
      element("div", { class: "head" },
        element("h2", { id: "details-title" }, node.name, " ", element("span", { class: "hint" }, node.kind)), close),
      element("p", { class: "faint" }, node.summary), table, this.#params(node), ...node.outputs.map((port) => this.#output(port)));
  }

  /** A parameter of the node was set, here or on another page. */
  take(name, to) {
    const { param, said, note } = this.knobs?.get(name) ?? {};
    if (!param) return;
    const field = said.querySelector("input, select");
    if (!field) say(said, to);
    else if (field !== document.activeElement) field.value = to.replace(/^"|"$/g, "");
    say(note, origin(param, to));
  }

  #params(node) {
    this.knobs = new Map();
    if (!node.params.length) return "";
    const isKnob = (param) => param.is_live && this.page.mayControl;
    const params = [...node.params].sort((a, b) => Number(isKnob(b)) - Number(isKnob(a)));
    const rows = params.map((param) => {
      const now = this.page.setTo(node.name, param.name) ?? param.value;
      const set = (to) => this.page.set(node.name, param.name, to);
      const said = element("td", {}, isKnob(param) ? knob(param, now, set) : now);
      if (!param.is_written) said.className = "faint";
      const note = element("td", { class: "faint" }, origin(param, now));
      this.knobs.set(param.name, { param, said, note });
      return element("tr", { title: param.doc }, element("th", { scope: "row" }, param.name), said, note);
    });
    return element("details", { open: node.params.length <= 8 || params.some(isKnob) }, element("summary", {}, "Parameters"), element("table", { class: "params" }, element("tbody", {}, ...rows)));
  }

  #output({ label, format: full }) {
    const { page } = this;
    const shown = page.shownAt(label);
    const { signal, event } = shown.offered.format;
    const pin = element("button", { type: "button", class: "quiet", onclick: () => {
      page.pin(label);
      say(pin, page.isPinned(label) ? "Unpin" : "Pin");
    } }, page.isPinned(label) ? "Unpin" : "Pin");
    const box = element("div", { class: "output", "data-tap": label },
      element("h3", { title: full }, label, " ", element("span", { class: "hint" }, format(shown.offered.format)), " ", pin));
    if (signal) {
      const output = element("output", { class: "faint", "aria-live": "off" });
      box.append(output);
      const units = new Set(shown.tracks.map(({ unit }) => unit));
      const plot = new Plot(box, { lanes: true, label: `Waveform of ${label}`,
        height: shown.tracks.length > 2 ? 44 * shown.tracks.length + 36 : 100, unit: units.size === 1 ? [...units][0] : "",
        told: (time, points) => {
          const at = (n, track) => (time === null ? track.last : points[n]?.high);
          const said = shown.tracks.slice(0, 4).map(({ unit, track }, n) => fixed(at(n, track), digitsOf(plot, n), unit));
          say(output, shown.refused ?? said.join(" · "));
        } });
      plot.lines = shown.tracks.map(({ track, unit }, n) => ({ track, unit, colour: colour(n) }));
      plot.gaps = shown.gaps;
      this.plots.push(plot);
    } else {
      const where = element("div", { class: "scroll" });
      box.append(where);
      this.plots.push({ show: () => list(where, shown), remove: () => {} });
    }
    return box;
  }

  /** Shows figures. */
  show(now, all, end, windowS) {
    const { node } = this;
    if (!node) return;
    const { shape } = this.page;
    const at = shape.nodes.findIndex(({ name }) => name === node.name);
    const figures = now.nodes[at];
    if (!figures) return;
    const row = (name, text) => {
      const { key, said } = this.rows.get(name);
      key.hidden = said.hidden = !text;
      say(said, text ?? "");
      return said;
    };
    const core = figures.core_share === null ? "" : `, ${share(figures.core_share)} of a core`;
    const each = figures.mean_us === null ? "" : `, ${span(figures.mean_us * 1e3)} each`;
    const { frames_per_s: frames, calls_per_s: calls } = figures;
    const beside = Math.abs(calls - frames) > 0.01 * frames ? `; ${rate(calls)} calls a second` : "";
    row("frames", `${rate(frames)} a second${beside}${each}${core}`);
    const stage = shape.stages[node.stage];
    row("runs", stage ? `stage ${stage.name}${stage.nodes.length > 1 ? ` with ${stage.nodes.length - 1} more` : ", alone"}`
      : "off the data cores: it waits for the world");
    row("delay", node.delay_ms > 0 ? `${value(node.delay_ms, "ms")} behind the sources, by construction` : "");
    const source = now.sources.find(({ node: name }) => name === node.name);
    row("source", source ? `${source.health}${source.nominal_hz ? `, ${rate(source.measured_hz)} of ${rate(source.nominal_hz)} Hz` : ""}, ${count(source.gaps)} gaps` : "");
    const sink = now.sinks.find(({ node: name }) => name === node.name);
    const of = sink ?? now.stages[node.stage];
    const when = of?.lately ?? of?.since_start;
    row("latency", when ? `p50 ${span(when.p50_ns)}, p99 ${span(when.p99_ns)}, max ${span(when.max_ns)}`
      + `${sink ? "" : ", to the end of its stage"}${sink?.deadline_ms ? ` of ${span(sink.deadline_ms * 1e6)}` : ""}` : "");
    row("time", this.page.time.wordsOf(node.name));
    const trouble = troubleOf(node, figures, now, all?.counts.nodes[at], 0);
    row("faults", `${count(figures.restarts)} restarts, ${count(figures.poison)} poison, ${count(figures.late)} late; on_fault = ${node.on_fault}`)
      .className = trouble.level ? "warn" : "";
    const fault = all?.counts.nodes[at]?.fault;
    row("last fault", fault ? `${Math.round(now.at_s - fault.at_s)} s ago: ${fault.what}` : "").className = "bad";
    this.plots.forEach((plot) => plot.show(end, windowS));
  }
}

/** Where a value comes from. */
function origin(param, now) {
  if (now !== param.value) return `was ${param.value}`;
  return param.is_written ? "" : "default";
}
