// A drawing of mean P&L by threshold with the confidence interval of each mean.

import { drawn } from "./dom.js";
import { compact, decimal } from "./format.js";
import { roundMarks } from "./plot.js";

const SIZE = { width: 880, height: 280, left: 58, right: 16, top: 14, bottom: 44 };

/** The chart of results with a mean, or null when none has one. */
export function pnlChart(results) {
  const points = results
    .filter(({ mean_pnl_ticks: mean }) => mean != null)
    .sort((a, b) => a.threshold - b.threshold);
  if (!points.length) return null;
  const scale = scales(points);
  const label = `Mean P&L in ticks at ${points.length} thresholds, with the confidence interval where there is one`;
  return drawn(
    "svg",
    {
      class: "chart",
      viewBox: `0 0 ${SIZE.width} ${SIZE.height}`,
      role: "img",
      "aria-label": label,
    },
    ...grid(scale),
    ...points.flatMap((point) => whisker(point, scale)),
    drawn("polyline", {
      class: "mean",
      points: points
        .map((point) => `${scale.x(point.threshold)},${scale.y(point.mean_pnl_ticks)}`)
        .join(" "),
    }),
    ...points.map((point) => dot(point, scale)),
  );
}

function scales(points) {
  const values = points
    .flatMap((point) => [point.mean_pnl_ticks, point.ci_low, point.ci_high, 0])
    .filter((value) => value != null);
  const [low, high] = padded(Math.min(...values), Math.max(...values));
  const [first, last] = padded(points[0].threshold, points.at(-1).threshold);
  const inner = {
    width: SIZE.width - SIZE.left - SIZE.right,
    height: SIZE.height - SIZE.top - SIZE.bottom,
  };
  return {
    thresholds: points.map(({ threshold }) => threshold),
    low,
    high,
    x: (threshold) => SIZE.left + ((threshold - first) / (last - first)) * inner.width,
    y: (ticks) => SIZE.top + ((high - ticks) / (high - low)) * inner.height,
  };
}

function padded(low, high) {
  const slack = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  return [low - slack, high + slack];
}

function grid({ x, y, low, high, thresholds }) {
  const floor = SIZE.height - SIZE.bottom;
  const levels = roundMarks(low, high, 5).flatMap((ticks) => [
    drawn("line", {
      class: Math.abs(ticks) < 1e-9 ? "zero" : "rule",
      x1: SIZE.left,
      x2: SIZE.width - SIZE.right,
      y1: y(ticks),
      y2: y(ticks),
    }),
    drawn(
      "text",
      { x: SIZE.left - 8, y: y(ticks), "text-anchor": "end", "dominant-baseline": "middle" },
      compact(Number(ticks.toPrecision(6))),
    ),
  ]);
  const middle = (SIZE.top + floor) / 2;
  return [
    ...levels,
    ...apart(thresholds, x).map((threshold) =>
      drawn(
        "text",
        { x: x(threshold), y: floor + 16, "text-anchor": "middle" },
        compact(Number(threshold.toPrecision(3))),
      ),
    ),
    drawn(
      "text",
      {
        class: "title",
        x: (SIZE.left + SIZE.width - SIZE.right) / 2,
        y: SIZE.height - 6,
        "text-anchor": "middle",
      },
      "threshold",
    ),
    drawn(
      "text",
      { class: "title", "text-anchor": "middle", transform: `translate(14 ${middle}) rotate(-90)` },
      "mean P&L, ticks",
    ),
  ];
}

// Labels that would touch their left neighbour are left out.
function apart(thresholds, x) {
  const kept = [];
  for (const threshold of thresholds) {
    if (!kept.length || x(threshold) - x(kept.at(-1)) >= 44) kept.push(threshold);
  }
  return kept;
}

function whisker({ threshold, ci_low: low, ci_high: high }, { x, y }) {
  if (low == null || high == null) return [];
  const at = x(threshold);
  const ends = [low, high].map((ticks) =>
    drawn("line", { class: "interval", x1: at - 4, x2: at + 4, y1: y(ticks), y2: y(ticks) }),
  );
  return [drawn("line", { class: "interval", x1: at, x2: at, y1: y(low), y2: y(high) }), ...ends];
}

function dot(
  { threshold, mean_pnl_ticks: mean, ci_low: low, ci_high: high, n_signals: count },
  { x, y },
) {
  const interval =
    low == null || high == null ? "" : `, interval ${decimal(low, 2)} to ${decimal(high, 2)}`;
  const said = `threshold ${compact(threshold)}: ${decimal(mean, 2)} ticks${interval}, ${decimal(count, 0)} signals`;
  return drawn(
    "circle",
    { class: "mean", cx: x(threshold), cy: y(mean), r: 4 },
    drawn("title", {}, said),
  );
}
