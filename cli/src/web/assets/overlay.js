// What lies over and under the lines of a plot: gaps, events, limits.

import { ink, resolved } from "./ink.js";

/** Where something is missing. */
export function gaps(plot) {
  const { context, box } = plot;
  context.fillStyle = ink().gap;
  for (const gap of plot.gaps) {
    if (gap.time < plot.start || gap.time > plot.stop) continue;
    const x = plot.x(gap.time);
    context.globalAlpha = 0.35;
    context.fillRect(Math.round(x) - 1, box.y, 2, box.height);
    context.globalAlpha = 1;
    context.textAlign = "center";
    context.fillText(gap.text, Math.min(x, box.x + box.width - 30), box.y + box.height - 14);
  }
}

/** Events, each a tick with a point above the picture. */
export function marks(plot) {
  const { context, box } = plot;
  for (const { marks: of, colour } of plot.marks) {
    const paint = resolved(colour);
    context.strokeStyle = paint;
    context.fillStyle = paint;
    context.beginPath();
    for (let n = of.from(plot.start); n < of.length; n += 1) {
      const x = plot.x(of.times[of.index(n)]);
      if (x > box.x + box.width) break;
      context.moveTo(x, box.y - 4);
      context.lineTo(x, box.y + box.height);
    }
    context.globalAlpha = 0.4;
    context.stroke();
    context.globalAlpha = 1;
    for (let n = of.from(plot.start); n < of.length; n += 1) {
      const x = plot.x(of.times[of.index(n)]);
      if (x > box.x + box.width) break;
      context.beginPath();
      context.arc(x, box.y - 6, 3, 0, 2 * Math.PI);
      context.fill();
    }
  }
}

/** What is allowed, each a line that is broken. */
export function limits(plot) {
  const { context, box } = plot;
  for (const { value, text, colour } of plot.limits) {
    const y = plot.y(value);
    if (y < box.y - 2 || y > box.y + box.height + 2) continue;
    context.strokeStyle = context.fillStyle = resolved(colour);
    context.setLineDash([5, 4]);
    context.beginPath();
    context.moveTo(box.x, y);
    context.lineTo(box.x + box.width, y);
    context.stroke();
    context.setLineDash([]);
    context.textAlign = "right";
    const isHigh = y < box.y + 14;
    context.textBaseline = isHigh ? "top" : "bottom";
    context.fillText(text, box.x + box.width - 4, isHigh ? y + 4 : y - 2);
  }
}
