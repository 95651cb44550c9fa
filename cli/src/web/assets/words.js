// Numbers in words, as `afferent top` writes them.

/** A rate with about three digits that count. */
export function rate(value) {
  if (!Number.isFinite(value)) return "–";
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  if (value >= 100 || value === 0) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : 2);
}

export const hz = (value) => (value >= 1e6 ? `${(value / 1e6).toFixed(2)} MHz`
  : value >= 1e4 ? `${(value / 1e3).toFixed(1)} kHz` : `${rate(value)} Hz`);

/** A value with so many digits behind the point, and its unit. */
export function fixed(number, digits, unit = "") {
  if (number === null || number === undefined || !Number.isFinite(number)) return "–";
  if (Math.abs(number) >= 1e6) return value(number, unit);
  const text = number.toFixed(digits).replace(/^-(0(\.0*)?)$/, "$1");
  return (text + (unit ? ` ${unit}` : "")).replace("-", "−");
}

/** Nanoseconds as `10 ms`, for axes. */
export const tick = (ns) => span(ns).replace(/(\.\d*?)0+(?= )/, "$1").replace(/\.(?= )/, "");

/** Nanoseconds as `152 µs`. */
export function span(ns) {
  if (!Number.isFinite(ns)) return "–";
  const [value, unit] = ns >= 1e9 ? [ns / 1e9, "s"] : ns >= 1e6 ? [ns / 1e6, "ms"]
    : ns >= 1e3 ? [ns / 1e3, "µs"] : [ns, "ns"];
  return `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)} ${unit}`;
}

/** Seconds as `2:05`, below a minute with the digits that a step of `step` seconds needs. */
export function clock(seconds, step = 1) {
  const sign = seconds < 0 ? "−" : "";
  const digits = step >= 1 ? 0 : Math.min(3, Math.ceil(-Math.log10(step) - 1e-9));
  const all = Math.abs(seconds);
  // Rounded as a whole, so that 59.996 s is not 0:60.
  const unit = 10 ** digits;
  const rounded = (digits ? Math.round(all * unit) : Math.floor(all + 1e-9) * unit) / unit;
  const [hours, minutes] = [Math.floor(rounded / 3600), Math.floor(rounded / 60) % 60];
  const rest = (rounded % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return hours ? `${sign}${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${sign}${minutes}:${rest}`;
}

/** A count with spaces between thousands. */
export const count = (value) => Math.round(value).toString().replace(/\B(?=(\d{3})+(?!\d))/g, " ");

/** A value as exact as a reader wants it, with its unit. */
export function value(number, unit = "") {
  if (number === null || number === undefined || !Number.isFinite(number)) return "–";
  const size = Math.abs(number);
  const text = size !== 0 && (size >= 1e6 || size < 1e-3) ? number.toExponential(2)
    : Number(number.toPrecision(4)).toString();
  return (text + (unit ? ` ${unit}` : "")).replace("-", "−");
}

const SIGNS = { "1": "", "": "", "deg/s": "°/s", degC: "°C", "m/s2": "m/s²", uS: "µS", uT: "µT", uV: "µV" };

/** The unit of a channel as it is written; none where nobody knows it, or there is none. */
export const unitOf = (name) => SIGNS[name] ?? name ?? "";

/** How many, and of what. */
export const counted = (number, what) => `${count(number)} ${what}${number === 1 ? "" : "s"}`;

/** What a format carries, in a few words. */
export function format(told) {
  if (told.signal) {
    const { channels, rate_hz } = told.signal;
    const unit = unitOf(channels[0]?.[1]);
    const many = channels.length > 1 ? `${channels.length} channels, ` : "";
    return `${many}${unit ? `${unit}, ` : ""}${hz(rate_hz)}`;
  }
  if (told.event) return "events";
  if (told.tensor) {
    const shape = told.tensor.shape.map(([length, fixed]) => (fixed ? length : `≤${length}`));
    return `${told.tensor.element} ${shape.join(" × ")}`;
  }
  return `picture ${told.image.width} × ${told.image.height}`;
}

/** An element of HTML with its attributes and what is in it. */
export function element(name, attributes = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, said] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), said);
    else if (said === true) made.setAttribute(key, "");
    else if (said !== false && said !== null && said !== undefined) made.setAttribute(key, said);
  }
  made.append(...inside.filter((part) => part !== null && part !== undefined));
  return made;
}

/** Writes a text where it is another one: what does not change is not laid out anew. */
export function say(where, text) {
  if (where.textContent !== text) where.textContent = text;
}
