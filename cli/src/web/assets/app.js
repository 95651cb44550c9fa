// The page: what the stream says goes to its parts, and what somebody chooses goes back.

import { DropsChart, LatencyChart } from "./charts.js";
import { Controls } from "./control.js";
import { Details } from "./details.js";
import { Graph } from "./graph.js";
import { $, beside, doing, notice, state, tiles, troubles } from "./header.js";
import { ListPanel, NumberPanel, Shown, SignalPanel } from "./panels.js";
import { Stream } from "./stream.js";
import { TimePanel } from "./time.js";
import { clock, count, element, say } from "./words.js";

/** Panels that nobody chose, so that the first view is one. */
const SIGNALS_FIRST = 3;
const EVENTS_FIRST = 2;
/** As the server: outputs at once. */
const OUTPUTS_MAX = 16;

class Page {
  session = 0;
  windowS = 10;
  shape = null;
  offer = null;
  now = null;
  all = null;
  mayControl = false;
  sets = new Map();
  shown = new Map();
  panels = new Map();
  pinned = null;
  lost = 0;
  isFrozen = false;
  isOver = false;

  constructor(token) {
    this.stream = new Stream(token, {
      hello: (said) => this.#hello(said), shape: (said) => this.#parts(said), tick: (said) => this.#tick(said),
      lost: ({ ticks }) => this.#lost(ticks), set: (said) => this.#set(said), end: (said) => this.#end(said),
      denied: () => ask("That token is not the one this run asks for."), away: (why) => this.#away(why),
    });
    this.graph = new Graph($("graph"), (name) => this.choose(name));
    this.details = new Details($("details"), this);
    this.latency = new LatencyChart({ over: $("latency"), histogram: $("histogram"), pick: $("sink"), label: $("sink-label") });
    this.drops = new DropsChart($("drops"));
    this.time = new TimePanel({ section: $("time"), limits: $("limits"), limit: $("limit"), change: $("change"), sinks: $("time-sinks"), none: $("time-none") },
      (name) => this.choose(name));
    $("window").addEventListener("change", (event) => {
      this.windowS = Number(event.target.value);
      this.#draw();
    });
    $("session").addEventListener("change", (event) => this.#visit(Number(event.target.value)));
    $("freeze").addEventListener("click", () => this.#freeze());
    document.addEventListener("keydown", (event) => {
      if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "p") this.#freeze();
      if (event.key === "Escape" && this.details.node) this.choose(null);
    });
    this.stream.run();
  }

  #hello(said) {
    $("gate").hidden = true;
    document.body.classList.remove("over");
    $("main").hidden = $("tools").hidden = false;
    $("offline").hidden = true;
    this.process = said.process;
    document.title = `${said.process.graph} — Afferent`;
    say($("graph-name"), said.process.graph);
    const host = said.process.host ? ` as ${said.process.host}` : "";
    say($("file"), `${said.process.file}${host} · process ${said.process.pid}`);
    this.mayControl = said.may_control;
    if (this.mayControl) this.controls ??= new Controls($("controls"), this.stream);
    said.sets.forEach((set) => this.#keep(set));
    this.#parts(said);
  }

  #parts({ shape, offer }) {
    [this.shape, this.offer] = [shape, offer];
    this.offered = new Map(offer.outputs.map((output) => [output.label, output]));
    for (const label of [...this.shown.keys()]) {
      const known = this.offered.get(label);
      if (JSON.stringify(known?.format) !== JSON.stringify(this.shown.get(label).offered.format)) this.shown.delete(label);
    }
    this.pinned = this.pinned?.filter((label) => this.offered.has(label)) ?? this.#first();
    this.graph.take(shape);
    this.#panels();
    const chosen = shape.nodes.find(({ name }) => name === this.details.node?.name) ?? null;
    this.details.open(chosen);
    this.#watch();
  }

  /** What is shown before anybody chooses: what comes in, and what hearts and the like say. */
  #first() {
    const events = [...this.offer.events].sort((a, b) => Number(b.is_heart) - Number(a.is_heart));
    const numbers = events.filter(({ numbers: of }) => of.length);
    const first = [...this.offer.signals.slice(0, SIGNALS_FIRST), ...numbers.slice(0, EVENTS_FIRST).map(({ label }) => label)];
    // A graph of tensors alone shows these.
    return first.length ? first : this.offer.outputs.filter((output) => output.is_taken).slice(0, 2).map(({ label }) => label);
  }

  /** What comes by at an output; from now on, if nobody has looked before. */
  shownAt(label) {
    if (!this.shown.has(label)) this.shown.set(label, new Shown(this.offered.get(label)));
    return this.shown.get(label);
  }

  /** Events that are made of a signal, first of all beats. */
  #marksOn(label) {
    const of = this.offer.events.filter(({ made_of: signals }) => signals.includes(label));
    const hearts = of.filter(({ is_heart: is }) => is);
    // What is made of others, too, says nothing of this one alone.
    const own = of.filter(({ made_of: signals }) => signals.length === 1);
    return (hearts.length ? hearts : own).slice(0, 1);
  }

  #panels() {
    this.panels.forEach((panel) => panel.remove());
    this.panels.clear();
    for (const label of this.pinned) {
      const shown = this.shownAt(label);
      const close = () => this.pin(label);
      const { signal } = shown.offered.format;
      const told = this.offer.events.find((events) => events.label === label);
      const field = told?.numbers.find((name) => name === "heart_rate_bpm") ?? told?.numbers[0] ?? shown.tracks[0]?.name;
      const marks = signal ? this.#marksOn(label).map((events) => ({ label: events.label, shown: this.shownAt(events.label) })) : [];
      const panel = signal ? new SignalPanel(shown, marks, close)
        : field ? new NumberPanel(shown, field, close) : new ListPanel(shown, close);
      this.panels.set(label, panel);
      $("waves").append(panel.card);
    }
    if (!this.pinned.length) {
      $("waves").append(element("p", { class: "hint empty" }, "Choose a node of the graph, and pin what it delivers."));
    } else $("waves").querySelector(".empty")?.remove();
    this.#draw();
  }

  isPinned(label) {
    return this.pinned.includes(label);
  }

  pin(label) {
    if (!this.isPinned(label) && this.pinned.length >= OUTPUTS_MAX) {
      notice(`${OUTPUTS_MAX} outputs at most are shown at once: close one first.`);
      return;
    }
    this.pinned = this.isPinned(label) ? this.pinned.filter((of) => of !== label) : [...this.pinned, label];
    this.#panels();
    this.#watch();
  }

  choose(name) {
    const isSame = name === this.details.node?.name;
    const node = isSame ? null : this.shape.nodes.find((of) => of.name === name) ?? null;
    this.graph.select(node?.name ?? null);
    this.details.open(node);
    this.#watch();
    this.#draw();
    if (node && $("details").getBoundingClientRect().top > innerHeight) $("details").scrollIntoView({ block: "nearest" });
  }

  /** Says what is to be shown: what is pinned, what marks it, and what the chosen node delivers. */
  #watch() {
    const marks = this.pinned.flatMap((label) => (this.offered.get(label).format.signal ? this.#marksOn(label) : [])).map(({ label }) => label);
    const all = [...new Set([...this.pinned, ...marks, ...this.details.outputs])].slice(0, OUTPUTS_MAX);
    // What nobody sees any more would have a hole where it is seen next.
    for (const label of [...this.shown.keys()]) if (!all.includes(label)) this.shown.delete(label);
    this.stream.watch(all.map((output) => ({ session: this.session, output })));
  }

  #visit(session) {
    this.session = session;
    this.shown.clear();
    this.#panels();
    this.details.open(this.details.node);
    this.#watch();
  }

  set(node, param, to) {
    return this.stream.control({ do: "set", session: this.session, node, param, value: String(to) });
  }

  setTo(node, param) {
    return this.sets.get(`${this.session} ${node} ${param}`);
  }

  #keep({ session, node, param, value }) {
    this.sets.set(`${session} ${node} ${param}`, value);
  }

  #set(said) {
    this.#keep(said);
    if (said.session === this.session && said.node === this.details.node?.name) this.details.take(said.param, said.value);
  }

  #tick({ now, all, taps }) {
    if (now) this.now = now;
    if (all) {
      this.all = all;
      this.#sessions(all.sessions);
      troubles(this.isOver ? [] : all.troubles);
      beside(all.counts);
      if (!this.isFrozen) this.time.take(all.time);
    }
    for (const told of taps) {
      if (told.session === this.session) this.shown.get(told.output)?.take(told);
    }
    if (now) {
      this.latency.take(now, all);
      this.drops.take(now);
    }
    if (!this.isDue) {
      this.isDue = true;
      // A page that is not seen draws nothing.
      requestAnimationFrame(() => {
        this.isDue = false;
        this.#draw();
      });
    }
  }

  #draw() {
    const { now, all } = this;
    if (!now || !this.graph.nodes) return;
    if (!this.isOver) state(...doing(now));
    tiles(now, this.shape);
    this.graph.show(now, all, this.time);
    this.controls?.show(now);
    if (this.isFrozen) return;
    const ends = [...this.shown.values()].map(({ end }) => end).filter(Number.isFinite);
    const end = ends.length ? Math.max(...ends) : NaN;
    this.panels.forEach((panel) => panel.show(end, this.windowS));
    this.details.show(now, all, end, this.windowS);
    this.latency.show();
    this.drops.show();
  }

  #sessions(open) {
    const pick = $("session");
    $("session-label").hidden = this.now.sessions_opened < 2;
    if (pick.dataset.open !== open.join()) {
      pick.dataset.open = open.join();
      const known = open.includes(this.session) ? open : [this.session, ...open];
      pick.replaceChildren(...known.map((number) => element("option", { value: number }, String(number))));
      pick.value = String(this.session);
    }
    // Whoever came after the first session had ended sees one that is open.
    if (open.length && !open.includes(this.session) && ![...this.shown.values()].some((shown) => shown.end > -Infinity)) {
      pick.value = String(open[0]);
      this.#visit(open[0]);
    }
  }

  #freeze() {
    this.isFrozen = !this.isFrozen;
    $("freeze").setAttribute("aria-pressed", String(this.isFrozen));
    say($("freeze"), this.isFrozen ? "Go on" : "Freeze");
    this.#draw();
  }

  #lost(ticks) {
    this.lost += ticks;
    notice(`This page is too slow for what it shows: ${count(this.lost)} updates were lost. Choose a shorter window, or fewer outputs.`);
  }

  #away(why) {
    document.body.classList.add("over");
    state("connection lost", "bad");
    notice(`Nothing is heard of the run (${why}). The page keeps what it has, and tries again.`);
  }

  #end({ how, after_s: after, fault }) {
    this.isOver = true;
    this.controls?.end();
    state(`ended: ${how} after ${clock(after)}`, fault ? "bad" : "faint");
    if (fault) notice(fault);
    else $("offline").hidden = true;
    $("troubles").hidden = true;
    document.body.classList.add("over");
    this.#draw();
  }
}

/** Asks for the token, and says why. */
function ask(why) {
  sessionStorage.removeItem("token");
  if (why) say($("gate-why"), why);
  $("gate").hidden = false;
  state("not let in", "warn");
  $("token").focus();
}

/** The token of the address, which does not stay there for others to see; else that of before a reload. */
function token() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found) {
    sessionStorage.setItem("token", found);
    history.replaceState(null, "", location.pathname);
  }
  return found ?? sessionStorage.getItem("token");
}

$("gate").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", $("token").value);
  location.reload();
});
addEventListener("hashchange", () => {
  if (location.hash.includes("token=")) location.reload();
});

const known = token();
if (known) new Page(known);
else ask();
