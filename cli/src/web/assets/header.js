// What stands above the graph: state, figures, troubles; and what is told beside it.

import { clock, count, element, rate, say, span } from "./words.js";

export const $ = (id) => document.getElementById(id);

export function state(text, tone) {
  say($("state"), text);
  $("state").className = `pill ${tone}`;
}

export function notice(text) {
  say($("offline"), text);
  $("offline").hidden = false;
}

/** What the run is doing, and how that is. */
export function doing(now) {
  const isPaused = now.stages.some(({ states }) => states.some(([state]) => state === "paused"));
  if (now.is_draining) return ["draining", "warn"];
  return isPaused ? ["paused", "warn"] : ["running", "good"];
}

/** The figures of the whole run. */
export function tiles(now, shape) {
  const whole = shape.duration_s;
  const done = now.content_s === null ? clock(now.at_s) : clock(whole ? Math.min(now.content_s, whole) : now.content_s);
  const worst = now.sinks.map(({ lately, since_start: ever }) => (lately ?? ever)?.p99_ns).filter(Boolean);
  const isLate = now.sinks.some(({ lately, deadline_ms: limit }) => lately && limit && lately.p99_ns / 1e6 > limit);
  const all = [
    ["time", whole && now.content_s !== null ? `${done} / ${clock(whole)}` : done],
    ["pace", now.pace === null ? null : `${now.pace < 9.95 ? now.pace.toFixed(1) : rate(now.pace)} ×`],
    ["in", `${rate(now.frames_in_per_s)} frames/s`],
    ["latency p99", worst.length ? span(Math.max(...worst)) : "–", isLate],
    ["dropped", count(now.dropped), now.dropped > 0],
    ["sessions", now.sessions_opened > 1 ? `${count(now.sessions_open)} of ${count(now.sessions_opened)}` : null],
  ].filter(([, text]) => text !== null);
  const host = $("tiles");
  const names = all.map(([name]) => name).join();
  if (host.dataset.names !== names) {
    host.dataset.names = names;
    host.replaceChildren(...all.map(([name]) => element("div", {}, element("dt", {}, name), element("dd"))));
  }
  all.forEach(([, text, isBad], n) => {
    const said = host.children[n].lastChild;
    say(said, text);
    said.classList.toggle("bad", Boolean(isBad));
  });
}

/** What is most wrong, in sentences. */
export function troubles(words) {
  const list = $("troubles");
  if (list.dataset.said === words.join("\n")) return;
  list.dataset.said = words.join("\n");
  const quoted = (text) => text.split("`").map((part, n) => (n % 2 ? element("code", {}, part) : part));
  list.replaceChildren(...words.map((text) => element("li", {}, ...quoted(text))));
  list.hidden = !words.length;
}

/** What models, caches and links tell of themselves, and what bodies have said. */
export function beside(counts) {
  const rows = [
    ...counts.services.map(({ name, what, remark }) => [`${what} ${name}`, remark]),
    ...counts.links.map((link) => [`link to ${link.peer}`, `${link.is_up ? "up" : "down"} for ${clock(link.for_s)}, ${span(link.rtt_ns)} there and back, ${(100 * link.loss).toFixed(1)} % lost${link.trouble ? `; ${link.trouble}` : ""}`]),
    ...counts.remarks.map(({ node, text }) => [node, text]),
  ];
  $("beside").hidden = !rows.length;
  const text = JSON.stringify(rows);
  if ($("beside-list").dataset.said === text) return;
  $("beside-list").dataset.said = text;
  $("beside-list").replaceChildren(element("dl", { class: "facts" }, ...rows.flatMap(([name, said]) => [element("dt", {}, name), element("dd", {}, said)])));
}
