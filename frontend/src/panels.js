// The readings beside the heat map as bars and text: state model, projected scores, signal, book.
// The pictures are heat_map.js, profiles.js and strip.js.

import { meanNear } from "./bin_history.js";
import { element, refill, say } from "./dom.js";
import { compact, decimal, duration, signed } from "./format.js";

const REACH_TICKS = 8;
const STATES = {
  "-2": "bear vacuum",
  "-1": "bear pressure",
  0: "mixed",
  1: "bull pressure",
  2: "bull vacuum",
};

/** A labelled bar from `low` to `high`, filled from zero. */
class Meter {
  constructor(label, low, high, { colour, digits = 2 } = {}) {
    Object.assign(this, { low, high, digits });
    this.fill = element("span", { class: "fill" });
    if (colour) this.fill.style.background = colour;
    this.zero = element("span", { class: "zero" });
    this.zero.style.left = `${this.#share(0)}%`;
    this.value = element("span", { class: "value" }, "–");
    this.bar = element(
      "span",
      {
        class: "bar",
        role: "meter",
        "aria-label": label,
        "aria-valuemin": low,
        "aria-valuemax": high,
      },
      this.fill,
      this.zero,
    );
    this.row = element(
      "div",
      { class: "meter" },
      element("span", { class: "name" }, label),
      this.bar,
      this.value,
    );
  }

  set(number) {
    const isNumber = Number.isFinite(number);
    say(this.value, this.low < 0 ? signed(number, this.digits) : decimal(number, this.digits));
    this.bar.setAttribute("aria-valuenow", isNumber ? number : 0);
    this.bar.setAttribute("aria-valuetext", this.value.textContent);
    const [from, to] = [0, isNumber ? number : 0]
      .map((at) => this.#share(at))
      .sort((a, b) => a - b);
    this.fill.style.left = `${from}%`;
    this.fill.style.width = `${to - from}%`;
  }

  #share(number) {
    const share = (number - this.low) / (this.high - this.low);
    return 100 * Math.max(0, Math.min(1, share));
  }
}

/** Names and values in two columns. */
class Facts {
  constructor(names) {
    this.values = Object.fromEntries(
      Object.keys(names).map((name) => [name, element("dd", { id: `fact-${name}` }, "–")]),
    );
    this.list = element(
      "dl",
      {},
      ...Object.entries(names).flatMap(([name, title]) => [
        element("dt", {}, title),
        this.values[name],
      ]),
    );
  }

  set(readings) {
    for (const [name, text] of Object.entries(readings)) say(this.values[name], text);
  }
}

/** The state model's own readings of a bin. */
export class StatePanel {
  constructor(target) {
    this.score = new Meter("score", -1, 1);
    this.bull = new Meter("bull intensity", 0, 1, { colour: "var(--high)" });
    this.bear = new Meter("bear intensity", 0, 1, { colour: "var(--low)" });
    this.mixed = new Meter("mixed intensity", 0, 1, { colour: "var(--muted)" });
    this.facts = new Facts({
      dominant: "dominant state",
      ready: "ready",
      base: "base",
      z: "z of d1, d2, d3",
    });
    const meters = [this.score, this.bull, this.bear, this.mixed].map(({ row }) => row);
    refill(target, element("h2", {}, "State model"), ...meters, this.facts.list);
  }

  show(update) {
    const of = (name) => update[`state_model_${name}`];
    this.score.set(of("score"));
    for (const name of ["bull", "bear", "mixed"]) this[name].set(of(`${name}_intensity`));
    this.facts.set({
      dominant: STATES[of("dominant_state5_code")] ?? "–",
      ready: `${of("ready") ? "yes" : "not yet"}, ${decimal(of("sample_count"), 0)} bins`,
      base: signed(of("base"), 3),
      z: ["z1", "z2", "z3"].map((name) => signed(of(name), 1)).join(" · "),
    });
  }
}

/** The projected flow score of each horizon: the mean of the rows near the spot. */
export class ProjectionPanel {
  constructor(target, lattice) {
    this.reach = Math.min(REACH_TICKS, lattice.radius);
    const now = ["flow_score", new Meter("now", -1, 1, { colour: "var(--muted)", digits: 3 })];
    this.meters = [
      now,
      ...lattice.horizonsMs.map((ms) => [
        `proj_score_h${ms}`,
        new Meter(`in ${duration(ms)}`, -1, 1, { digits: 3 }),
      ]),
    ];
    const note = element(
      "p",
      { class: "note" },
      `Mean of the rows with |k| ≤ ${this.reach} ticks.`,
    );
    refill(
      target,
      element("h2", {}, "Projected score"),
      ...this.meters.map(([, { row }]) => row),
      note,
    );
  }

  show(columns) {
    for (const [name, meter] of this.meters) meter.set(meanNear(columns, name, this.reach));
  }
}

/** The served signal against its threshold. */
export class SignalPanel {
  constructor(target) {
    this.facts = new Facts({
      signal: "signal",
      value: "value",
      threshold: "threshold",
      beyond: "beyond threshold",
    });
    refill(target, element("h2", {}, "Signal"), this.facts.list);
  }

  show({ signal }) {
    if (!signal) return;
    const { name, value, threshold } = signal;
    const known = Number.isFinite(value) && Number.isFinite(threshold);
    this.facts.set({
      signal: name,
      value: signed(value, 4),
      threshold: compact(threshold),
      beyond: known ? (Math.abs(value) >= threshold ? "yes" : "no") : "–",
    });
  }
}

/** Prices and events of a bin. */
export class BookPanel {
  constructor(target, lattice) {
    this.lattice = lattice;
    this.facts = new Facts({
      bid: "best bid",
      ask: "best ask",
      mid: "mid",
      book: "book",
      events: "events in the bin",
    });
    refill(target, element("h2", {}, "Book"), this.facts.list);
  }

  show(update) {
    const price = (value) => (value > 0 ? decimal(value, this.lattice.decimals) : "–");
    const best = (side) =>
      price(this.lattice.price(this.lattice.ticks(update[`best_${side}_price_int`])));
    this.facts.set({
      bid: best("bid"),
      ask: best("ask"),
      mid: update.mid_price > 0 ? decimal(update.mid_price, this.lattice.decimals + 1) : "–",
      book: update.book_valid ? "valid" : "not valid",
      events: decimal(update.bin_event_count, 0),
    });
  }
}
