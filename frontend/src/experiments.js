// The table of runs with its filters. What is chosen stands behind the # of the address, because the
// query string belongs to the stream. One run is shown by run_detail.js.

import { runs } from "./api.js";
import { element, refill, say } from "./dom.js";
import { compact, decimal, duration, moment, parameters, percent, signed } from "./format.js";
import { showRun } from "./run_detail.js";
import { streamButton } from "./stream_button.js";
import { tokenForm } from "./token.js";

const COLUMNS = [
  { name: "signal", title: "signal", isText: true, cell: signalCell },
  {
    name: "can_stream",
    title: "stream",
    isText: true,
    cell: (run) => (run.can_stream ? streamButton(run) : "–"),
  },
  { name: "dataset_id", title: "dataset", isText: true, text: ({ dataset_id: id }) => id },
  { name: "params", title: "parameters", isText: true, text: ({ params }) => parameters(params) },
  {
    name: "barriers",
    title: "TP / SL, ticks",
    text: ({ tp_ticks: tp, sl_ticks: sl }) => `${compact(tp)} / ${compact(sl)}`,
  },
  {
    name: "max_hold_bins",
    title: "hold, bins",
    text: ({ max_hold_bins: bins }) => decimal(bins, 0),
  },
  {
    name: "cooldown_bins",
    title: "cooldown, bins",
    text: ({ cooldown_bins: bins }) => decimal(bins, 0),
  },
  { name: "threshold", title: "threshold", text: ({ threshold }) => compact(threshold) },
  {
    name: "n_signals",
    title: "signals",
    isSortable: true,
    text: ({ n_signals: count }) => decimal(count, 0),
  },
  {
    name: "tp_rate",
    title: "take profit",
    isSortable: true,
    text: ({ tp_rate: rate }) => percent(rate),
  },
  {
    name: "sl_rate",
    title: "stop loss",
    isSortable: true,
    text: ({ sl_rate: rate }) => percent(rate),
  },
  {
    name: "timeout_rate",
    title: "timeout",
    isSortable: true,
    text: ({ timeout_rate: rate }) => percent(rate),
  },
  {
    name: "mean_pnl_ticks",
    title: "mean P&L, ticks",
    isSortable: true,
    text: ({ mean_pnl_ticks: ticks }) => signed(ticks),
  },
  {
    name: "events_per_hour",
    title: "signals per hour",
    isSortable: true,
    text: ({ events_per_hour: rate }) => decimal(rate, 1),
  },
  {
    name: "median_time_to_outcome_ms",
    title: "median time",
    isSortable: true,
    text: ({ median_time_to_outcome_ms: ms }) => duration(ms),
  },
  {
    name: "created_at",
    title: "created, UTC",
    isText: true,
    text: ({ created_at: at }) => moment(at),
  },
];
const DEFAULTS = { signal: "", dataset_id: "", sort: "tp_rate", min_signals: "5", top_n: "50" };
const LOWEST_FIRST = new Set(["sl_rate", "timeout_rate", "median_time_to_outcome_ms"]);

/** The view of experiments, in the elements of the page. */
export class ExperimentsView {
  constructor(find) {
    this.find = find;
    this.asked = 0;
    this.form = find("filters");
    this.form.addEventListener("change", () => this.#choose(this.#formValues()));
    this.form.addEventListener("submit", (event) => event.preventDefault());
    find("run").addEventListener("close", () => this.#choose({ run: "" }));
    find("close-run").addEventListener("click", () => find("run").close());
    addEventListener("hashchange", () => this.show());
    refill(find("runs-head"), ...COLUMNS.map((column) => this.#headCell(column)));
    this.loaded = null;
    this.show();
  }

  /** Show what the address asks for. */
  show() {
    const chosen = this.#chosen();
    for (const [name, value] of Object.entries(chosen))
      if (this.form.elements[name]) this.form.elements[name].value = value;
    const { run, ...filters } = chosen;
    const asked = new URLSearchParams(filters).toString();
    if (asked !== this.loaded) {
      this.loaded = asked;
      this.#load(filters);
    }
    this.#showRun(run);
  }

  #chosen() {
    const given = new URLSearchParams(location.hash.slice(1));
    const names = [...Object.keys(DEFAULTS), "run"];
    return Object.fromEntries(names.map((name) => [name, given.get(name) ?? DEFAULTS[name] ?? ""]));
  }

  #formValues() {
    return Object.fromEntries(new FormData(this.form));
  }

  #choose(changes) {
    const next = { ...this.#chosen(), ...changes };
    const kept = Object.entries(next).filter(([name, value]) => value !== (DEFAULTS[name] ?? ""));
    location.hash = new URLSearchParams(kept).toString();
  }

  async #load(filters) {
    const mine = ++this.asked;
    say(this.find("runs-note"), "Loading …");
    try {
      const answer = await runs(filters);
      if (mine === this.asked) this.#fill(answer, filters);
    } catch (error) {
      if (mine === this.asked) this.#fail(error);
    }
  }

  #fill({ runs: found, filters: known }, { sort, signal, dataset_id: dataset }) {
    refill(this.find("runs-error"));
    this.#options("signal", known.signals, signal);
    this.#options("dataset_id", known.datasets, dataset);
    refill(this.find("runs-body"), ...found.map((run) => this.#row(run)));
    for (const cell of this.find("runs-head").children) this.#markSorted(cell, sort);
    say(
      this.find("runs-note"),
      found.length
        ? `${found.length} runs`
        : "No run matches: lower the least number of signals, or choose another signal or dataset.",
    );
  }

  #fail(error) {
    this.loaded = null;
    say(this.find("runs-note"), "");
    refill(this.find("runs-body"));
    refill(
      this.find("runs-error"),
      element("p", {}, error.message),
      ...(error.status === 401 ? [tokenForm()] : []),
    );
  }

  #row(run) {
    const cells = COLUMNS.map(({ isText, cell, text, name }) =>
      element(
        "td",
        {
          class: `${isText ? "text" : "number"} ${name}`,
          title: name === "params" || name === "dataset_id" ? text(run) : null,
        },
        cell ? cell(run) : text(run),
      ),
    );
    const row = element("tr", {}, ...cells);
    row.addEventListener("click", (event) => {
      if (!event.target.closest("a, button")) this.#choose({ run: run.run_id });
    });
    row.querySelector("a").addEventListener("click", (event) => {
      event.preventDefault();
      this.#choose({ run: run.run_id });
    });
    return row;
  }

  #headCell({ name, title, isText, isSortable }) {
    const cell = element(
      "th",
      { scope: "col", class: isText ? "text" : "number", "data-name": name },
      isSortable ? "" : title,
    );
    if (!isSortable) return cell;
    const button = element("button", { type: "button", title: `sort by ${title}` }, title);
    button.addEventListener("click", () => this.#choose({ sort: name }));
    return refill(cell, button);
  }

  #markSorted(cell, sort) {
    if (cell.dataset.name !== sort) return cell.removeAttribute("aria-sort");
    return cell.setAttribute("aria-sort", LOWEST_FIRST.has(sort) ? "ascending" : "descending");
  }

  #options(name, values, chosen) {
    const all = new Set([...values, ...(chosen ? [chosen] : [])]);
    const made = [...all].map((value) =>
      element("option", { value, selected: value === chosen }, value),
    );
    refill(this.form.elements[name], element("option", { value: "" }, "all"), ...made);
  }

  #showRun(run) {
    const dialog = this.find("run");
    if (!run) return dialog.open && dialog.close();
    if (dialog.dataset.run === run && dialog.open) return undefined;
    dialog.dataset.run = run;
    if (!dialog.open) dialog.showModal();
    return showRun(this.find("run-body"), run);
  }
}

function signalCell(run) {
  const target = new URLSearchParams({ run: run.run_id });
  return element(
    "a",
    { href: `#${target}`, "aria-label": `${run.signal}, run ${run.run_id.slice(0, 8)}, details` },
    run.signal,
  );
}
