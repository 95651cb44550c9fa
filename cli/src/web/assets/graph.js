// The graph, alive: nodes with their rates and their trouble, edges with what passes and what waits.

import { layout } from "./layout.js";
import { share } from "./time.js";
import { count, rate, say } from "./words.js";

const SIZE = { width: 136, height: 52, gap: 16, gapTall: 14, step: 56, stepTall: 40, pass: 10, passTall: 40 };
/** Narrower than this the flow goes down. */
const TALL_PX = 700;
/** Letters are not shrunk below this share of their size; the picture is moved instead. */
const SCALE_MIN = 0.74;
const MARGIN = 10;
const NAME_LETTERS = 15;

const svg = (name, attributes = {}, ...inside) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, said] of Object.entries(attributes)) made.setAttribute(key, said);
  made.append(...inside);
  return made;
};

const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

export class Graph {
  /** In `host`; `choose(name)` is called when somebody chooses a node. */
  constructor(host, choose) {
    this.host = host;
    this.choose = choose;
    this.chosen = null;
    this.width = 0;
    new ResizeObserver(() => {
      if (this.shape && Math.abs(host.clientWidth - this.width) > 1) this.draw();
    }).observe(host);
  }

  take(shape) {
    this.shape = shape;
    this.draw();
  }

  draw() {
    const { shape, host } = this;
    this.width = host.clientWidth;
    const isTall = this.width < TALL_PX;
    const index = new Map(shape.nodes.map((node, n) => [node.name, n]));
    const ends = shape.edges.map((edge) => ({ from: index.get(edge.producer), to: index.get(edge.consumer) }));
    const known = ends.filter(({ from, to }) => from !== undefined && to !== undefined);
    const placed = layout(shape.nodes.length, known, SIZE, isTall);
    const place = new Map(known.map((end, n) => [end, placed.edges[n]]));
    const [width, height] = [placed.width + 2 * MARGIN, placed.height + 2 * MARGIN];
    const scale = Math.min(1, Math.max(SCALE_MIN, this.width / width));
    const root = svg("svg", { viewBox: `${-MARGIN} ${-MARGIN} ${width} ${height}`, width: width * scale,
      height: height * scale, class: "graph", role: "group", "aria-label": "Nodes and edges of the graph" });
    root.append(svg("defs", {}, svg("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8,
      markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto" }, svg("path", { d: "M0,0 L8,4 L0,8 z", class: "tip" }))));
    this.edges = shape.edges.map((edge, n) => this.#edge(edge, place.get(ends[n])));
    root.append(...this.edges.map(({ group }) => group));
    this.nodes = shape.nodes.map((node, n) => this.#node(node, placed.nodes[n]));
    root.append(...this.nodes.map(({ group }) => group));
    host.replaceChildren(root);
    this.select(this.chosen);
    if (this.now) this.show(this.now, this.all, this.time);
  }

  #edge(edge, placed) {
    const { path, label: at } = placed ?? { path: "", label: { x: 0, y: 0 } };
    const kind = edge.on_full && edge.on_full !== "block" ? "dropping" : edge.capacity ? "ring" : "fused";
    const title = svg("title");
    const label = svg("text", at);
    const line = svg("path", { d: path, class: "line", "marker-end": "url(#tip)" });
    const flow = svg("path", { d: path, class: "flow" });
    const group = svg("g", { class: `edge ${kind}` }, title, line, flow, label);
    return { group, title, label, edge, kind };
  }

  #node(node, { x, y }) {
    const [left, top] = [x - SIZE.width / 2, y - SIZE.height / 2];
    const box = (inset, radius, kind) => svg("rect", { x: left + inset, y: top + inset, width: SIZE.width - 2 * inset,
      height: SIZE.height - 2 * inset, rx: radius, class: kind });
    const rated = svg("text", { x: left + SIZE.width - 10, y: top + 40, class: "rate", "text-anchor": "end" });
    const sign = svg("text", { x: left + SIZE.width - 10, y: top + 21, class: "sign", "text-anchor": "end" });
    const part = svg("rect", { x: left + 12, y: top + SIZE.height - 7, width: 0, height: 3, class: "part" });
    const group = svg("g", { class: "node", tabindex: 0, role: "button", "data-node": node.name },
      svg("title"),
      box(0, node.is_source ? 20 : 6, "box"),
      ...(node.is_sink ? [box(3, 4, "inner")] : []),
      svg("text", { x: left + 12, y: top + 21, class: "title" }, short(node.name.split("/").pop(), NAME_LETTERS)),
      svg("text", { x: left + 12, y: top + 40, class: "kind" }, short(node.kind, 13)),
      rated, sign, part);
    group.addEventListener("click", () => this.choose(node.name));
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      this.choose(node.name);
    });
    return { group, rated, sign, part, node };
  }

  /** Shows which node is chosen. */
  select(name) {
    this.chosen = name;
    for (const { group, node } of this.nodes ?? []) {
      group.classList.toggle("chosen", node.name === name);
      group.setAttribute("aria-pressed", String(node.name === name));
    }
  }

  /** Shows figures: `now` of every tick, the last that tell all, and where the time goes. */
  show(now, all, time) {
    [this.now, this.all, this.time] = [now, all, time];
    const lost = new Map();
    for (const edge of now.edges) {
      const before = lost.get(edge.to) ?? 0;
      lost.set(edge.to, before + edge.dropped_per_s);
    }
    this.nodes.forEach(({ group, rated, sign, part, node }, n) => {
      const figures = now.nodes[n];
      if (!figures) return;
      const trouble = troubleOf(node, figures, now, all?.counts.nodes[n], lost.get(node.name) ?? 0);
      say(rated, `${rate(figures.frames_per_s)}/s`);
      say(sign, trouble.sign);
      group.classList.toggle("bad", trouble.level === 2);
      group.classList.toggle("warn", trouble.level === 1);
      const found = time?.legOf(node.name);
      const wide = (SIZE.width - 24) * (found?.leg.share ?? 0);
      if (part.dataset.wide !== wide.toFixed(1)) part.setAttribute("width", (part.dataset.wide = wide.toFixed(1)));
      const taken = found ? `; ${share(found.leg.share)} of the latency at ${found.sink.node}` : "";
      const words = `${node.name}, ${node.kind}: ${rate(figures.frames_per_s)} frames a second${taken}${trouble.text ? `; ${trouble.text}` : ""}`;
      if (group.getAttribute("aria-label") !== words) {
        group.setAttribute("aria-label", words);
        say(group.firstChild, words);
      }
    });
    const told = new Set();
    this.edges.forEach(({ group, title, label, edge, kind }, n) => {
      const figures = now.edges[n];
      if (!figures) return;
      const depth = figures.capacity ? `${figures.depth}/${figures.capacity}` : "";
      const isLosing = figures.dropped_per_s > 0;
      const loss = isLosing ? `−${rate(figures.dropped_per_s)}/s` : "";
      // They would stand upon each other: of several rings of one output the fullest is told by its title.
      const text = loss || (kind === "fused" || told.has(edge.from) ? "" : depth);
      if (text) told.add(edge.from);
      say(label, text);
      group.classList.toggle("bad", isLosing);
      group.classList.toggle("lost", !isLosing && figures.dropped > 0);
      group.classList.toggle("moves", figures.frames_per_s > 0);
      const reasons = figures.reasons.map(([why, frames]) => `${count(frames)} ${why}`).join(", ");
      say(title, `${edge.from} → ${edge.consumer}.${edge.port}: ${rate(figures.frames_per_s)} frames a second, ${edge.format}`
        + `${depth ? `; ${depth} wait (${edge.on_full})` : "; fused"}${reasons ? `; dropped: ${reasons}` : ""}`);
    });
  }
}

/** What is wrong with a node: nothing, something to know, something bad. */
export function troubleOf(node, figures, now, counts, lost) {
  const bad = [];
  const warn = [];
  const stage = now.stages[node.stage];
  if (stage?.states.some(([state]) => state === "trouble")) bad.push("failed, and has no successor yet");
  const fault = counts?.fault;
  if (fault && now.at_s - fault.at_s < 10) bad.push(`failed: ${fault.what}`);
  if (lost > 0) bad.push(`loses ${rate(lost)} frames a second`);
  const sink = now.sinks.find((known) => known.node === node.name);
  if (sink?.deadline_ms && sink.lately && sink.lately.p99_ns / 1e6 > sink.deadline_ms) bad.push("late");
  else if (sink?.deadline_ms && sink.lately && sink.lately.max_ns / 1e6 > sink.deadline_ms) warn.push("late at times");
  const source = now.sources.find((known) => known.node === node.name);
  if (source && ["silent", "faulty"].includes(source.health)) bad.push(source.health);
  if (source && ["slow", "fast", "gaps", "late"].includes(source.health)) warn.push(source.health);
  if (figures.restarts) warn.push(`restarted ${figures.restarts} times`);
  if (figures.poison) warn.push(`${figures.poison} poison`);
  if (figures.late && !source) warn.push(`${figures.late} late`);
  const level = bad.length ? 2 : warn.length ? 1 : 0;
  return { level, sign: ["", "△", "▲"][level], text: [...bad, ...warn].join(", ") };
}
