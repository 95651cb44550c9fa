// The colours of the page as a canvas takes them. They follow those of the system.

let colours = null;
const listeners = new Set();

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  colours = null;
  listeners.forEach((draw) => draw());
});

/** Calls `draw` when the colours have changed, until what it gives is called. */
export function onChange(draw) {
  listeners.add(draw);
  return () => listeners.delete(draw);
}

/** The colours by what they are for. */
export function ink() {
  if (colours) return colours;
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  const series = Array.from({ length: 8 }, (_, n) => of(`--series-${n + 1}`));
  colours = { series, grid: of("--grid"), text: of("--faint"), bad: of("--bad"), hover: of("--text"), gap: of("--warn") };
  return colours;
}

/** The colour of the nth line. */
export const colour = (n) => `var(--series-${(n % 8) + 1})`;

/** A colour as a canvas takes it. */
export function resolved(name) {
  const found = /^var\(--series-(\d)\)$/.exec(name);
  return found ? ink().series[found[1] - 1] : (ink()[name] ?? name);
}
