// One run in a dialog over the table: its parameters, its results at every threshold, their chart.

import { runDetail } from "./api.js";
import { element, refill } from "./dom.js";
import { compact, decimal, duration, moment, percent, shown, signed } from "./format.js";
import { pnlChart } from "./pnl_chart.js";
import { streamButton } from "./stream_button.js";

const COLUMNS = [
  ["threshold", ({ threshold }) => compact(threshold)],
  ["cooldown, bins", ({ cooldown_bins: bins }) => decimal(bins, 0)],
  ["signals", ({ n_signals: count }) => decimal(count, 0)],
  ["up", ({ n_up: count }) => decimal(count, 0)],
  ["down", ({ n_down: count }) => decimal(count, 0)],
  ["take profit", ({ tp_rate: rate }) => percent(rate)],
  ["stop loss", ({ sl_rate: rate }) => percent(rate)],
  ["timeout", ({ timeout_rate: rate }) => percent(rate)],
  ["mean P&L, ticks", ({ mean_pnl_ticks: ticks }) => signed(ticks)],
  [
    "interval, ticks",
    ({ ci_low: low, ci_high: high }) =>
      low == null || high == null ? "–" : `${signed(low)} to ${signed(high)}`,
  ],
  ["signals per hour", ({ events_per_hour: rate }) => decimal(rate, 1)],
  ["median time", ({ median_time_to_outcome_ms: ms }) => duration(ms)],
];
const SETTINGS = [
  ["experiment", ({ experiment }) => shown(experiment)],
  ["dataset", ({ dataset_id: id }) => shown(id)],
  ["campaign", ({ campaign_key: key }) => shown(key)],
  ["take profit", ({ tp_ticks: ticks }) => `${compact(ticks)} ticks`],
  ["stop loss", ({ sl_ticks: ticks }) => `${compact(ticks)} ticks`],
  ["longest hold", ({ max_hold_bins: bins }) => `${decimal(bins, 0)} bins`],
  ["warm-up", ({ warmup_bins: bins }) => `${decimal(bins, 0)} bins`],
  ["cooldown", ({ cooldown_bins: bins }) => `${decimal(bins, 0)} bins`],
  ["engine", ({ engine }) => shown(engine)],
  ["created, UTC", ({ created_at: at }) => moment(at)],
  ["run", ({ run_id: id }) => shown(id)],
];

/** Show a run in the dialog's `body`; a refusal is shown in its place. */
export async function showRun(body, runId) {
  refill(body, element("p", { class: "note" }, "Loading the run …"));
  try {
    refill(body, ...contents(await runDetail(runId)));
  } catch (error) {
    refill(body, element("p", { class: "error", role: "alert" }, error.message));
  }
}

function contents({ meta, threshold_results: results, streaming_url: url, can_stream: canStream }) {
  const chart = pnlChart(results);
  const parameters = Object.entries(meta.params ?? {}).map(([name, value]) => [name, shown(value)]);
  return [
    element("h2", { id: "run-title" }, meta.signal),
    canStream && url
      ? streamButton(meta, url)
      : element("p", { class: "note" }, "No alias points to this run, so it cannot be streamed."),
    element("h3", {}, "Mean P&L by threshold"),
    chart ?? element("p", { class: "note" }, "No threshold has a mean P&L."),
    element("h3", {}, "Thresholds"),
    table(results),
    element("h3", {}, "Parameters"),
    parameters.length
      ? facts(parameters)
      : element("p", { class: "note" }, "The signal has no parameters."),
    element("h3", {}, "Evaluation"),
    facts(SETTINGS.map(([name, text]) => [name, text(meta)])),
  ];
}

function table(results) {
  const head = COLUMNS.map(([name]) => element("th", { scope: "col", class: "number" }, name));
  const rows = results.map((result) =>
    element(
      "tr",
      {},
      ...COLUMNS.map(([, text]) => element("td", { class: "number" }, text(result))),
    ),
  );
  const whole = element(
    "table",
    { id: "thresholds" },
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...rows),
  );
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "results at every threshold" },
    whole,
  );
}

function facts(pairs) {
  return element(
    "dl",
    { class: "wide" },
    ...pairs.flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]),
  );
}
