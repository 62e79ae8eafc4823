// The live view of one published signal: its status, the pictures and the readings of every bin.

import { BinHistory, Lattice } from "./bin_history.js";
import { element, refill, say } from "./dom.js";
import { clock, compact, decimal, duration, signed } from "./format.js";
import { HeatMap, LAYERS } from "./heat_map.js";
import { Lag } from "./lag.js";
import { BookPanel, ProjectionPanel, SignalPanel, StatePanel } from "./panels.js";
import { PriceWindow } from "./price_window.js";
import { DepthProfile, ProjectionProfile } from "./profiles.js";
import { SignalStrip } from "./strip.js";
import { onThemeChange, theme } from "./theme.js";
import { tokenForm } from "./token.js";
import { SignalStream } from "./stream.js";

const STATE_WORDS = {
  connecting: "connecting",
  live: "live",
  waiting: "waiting",
  ended: "ended",
  refused: "refused",
};

/** Opens the stream that the page's query string names, in the elements of the page. */
export class LiveView {
  constructor(find, query) {
    this.find = find;
    this.view = null;
    this.isDirty = false;
    this.missed = 0;
    this.lag = new Lag();
    this.heatMap = new HeatMap(find("heat-map"), (reading) => this.#read(reading));
    this.below = [new SignalStrip(find("signal-strip"))];
    this.beside = [
      new DepthProfile(find("depth-profile")),
      new ProjectionProfile(find("projection-profile")),
    ];
    this.stream = new SignalStream(query, this);
    find("layer").addEventListener("change", () => this.#chosen());
    find("span").addEventListener("change", () => this.#chosen());
    find("again").addEventListener("click", () => this.stream.openAnew());
    onThemeChange(() => this.#redraw());
    addEventListener("pagehide", () => this.stream.close());
    addEventListener("pageshow", ({ persisted }) => persisted && this.stream.open());
    this.stream.open();
  }

  status(state, text) {
    const pill = this.find("status");
    pill.dataset.state = state;
    say(pill, STATE_WORDS[state]);
    say(this.find("reason"), state === "live" ? "" : text);
    this.find("again").hidden = !["ended", "refused"].includes(state);
    this.find("credentials").replaceChildren(
      ...(state === "refused" && /token/i.test(text) ? [tokenForm()] : []),
    );
  }

  config(config, resumed) {
    this.lag.restart();
    if (resumed && this.view) return;
    const lattice = new Lattice(config);
    this.bins = config.stream?.bins ?? null;
    this.view = {
      history: new BinHistory(lattice),
      window: new PriceWindow(lattice),
      layer: "net",
      bins: 600,
    };
    this.missed = 0;
    this.find("board").hidden = false;
    this.#layPanels(config, lattice);
    this.#chosen();
  }

  bin(update, columns) {
    const { history, window } = this.view;
    const before = history.latest?.update.bin_seq;
    if (before !== undefined) this.missed += update.bin_seq - before - 1;
    history.append(update, columns);
    window.follow(history.centre[history.latest.slot]);
    this.lag.arrived(history.endMs[history.latest.slot]);
    if (this.find("status").dataset.state !== "live") this.status("live", "");
    this.#redraw();
  }

  ended(bins) {
    if (bins !== undefined)
      say(this.find("reason"), `the stream has ended after ${decimal(bins, 0)} bins`);
  }

  #layPanels(config, lattice) {
    const served = config.serving ?? {};
    const named = served.serving_name ?? served.serving_id;
    document.title = `${named} · islandflow`;
    say(this.find("stream-name"), `${config.symbol} · ${named}`);
    const identity = `serving ${served.serving_id ?? "–"} · configuration ${config.effective_config_hash ?? "–"}`;
    say(this.find("stream-identity"), identity);
    this.panels = {
      signal: new SignalPanel(this.find("signal-panel")),
      state: new StatePanel(this.find("state-panel")),
      projection: new ProjectionPanel(this.find("projection-panel"), lattice),
      book: new BookPanel(this.find("book-panel"), lattice),
    };
    const spans = [300, 600, 1200].map((bins) =>
      element("option", { value: bins, selected: bins === 600 }, duration(bins * lattice.cellMs)),
    );
    refill(this.find("span"), ...spans);
  }

  #chosen() {
    if (!this.view) return;
    this.view.layer = this.find("layer").value;
    this.view.bins = Number(this.find("span").value);
    this.#redraw();
  }

  // One drawing per frame of the screen, however many bins have come.
  #redraw() {
    if (this.isDirty || !this.view) return;
    this.isDirty = true;
    requestAnimationFrame(() => {
      this.isDirty = false;
      this.#draw();
    });
  }

  #draw() {
    const { view } = this;
    if (view.history.latest === null) return;
    const { update, columns, slot } = view.history.latest;
    for (const picture of [this.heatMap, ...this.below, ...this.beside]) picture.draw(view);
    this.panels.signal.show(update);
    this.panels.state.show(update);
    this.panels.projection.show(columns);
    this.panels.book.show(update);
    this.#legend();
    say(
      this.find("bin"),
      `${decimal(update.bin_seq, 0)}${this.bins ? ` of ${decimal(this.bins, 0)}` : ""}`,
    );
    say(this.find("time"), `${clock(view.history.endMs[slot], 1)} UTC`);
    say(this.find("lag"), duration(this.lag.ms));
    say(this.find("missed"), decimal(this.missed, 0));
  }

  #legend() {
    const { layer, history } = this.view;
    const { title, unit } = LAYERS[layer];
    const { scale } = this.heatMap;
    const colours = ["low", "low-mid", "zero", "high-mid", "high"].map((name) => theme()[name]);
    this.find("legend-bar").style.background = `linear-gradient(to right, ${colours.join(",")})`;
    say(this.find("legend-low"), `−${compact(Number(scale.toPrecision(2)))}`);
    say(this.find("legend-high"), `+${compact(Number(scale.toPrecision(2)))}`);
    say(this.find("legend-title"), `${title}${unit(history.lattice)}`);
  }

  #read(reading) {
    const { lattice } = this.view.history;
    const { title, unit } = LAYERS[this.view.layer];
    const facts = reading && {
      "bin end": `${clock(reading.endMs, 1)} UTC`,
      price: `${decimal(reading.price, lattice.decimals)} (k ${reading.k})`,
      [`${title}${unit(lattice)}`]: signed(reading.value, 3),
    };
    const pairs = Object.entries(facts ?? {}).flatMap(([name, text]) => [
      element("dt", {}, name),
      element("dd", {}, text),
    ]);
    refill(this.find("readout"), ...(pairs.length ? [element("dl", {}, ...pairs)] : []));
  }
}
