// Below the heat map and on its time axis: the served signal with its threshold on both sides.

import { MARGINS } from "./heat_map.js";
import { compact } from "./format.js";
import { Plot } from "./plot.js";
import { theme } from "./theme.js";

export class SignalStrip {
  constructor(canvas) {
    const margins = { ...MARGINS, top: 6, bottom: 22 };
    this.plot = new Plot(canvas, margins, () => this.view && this.draw(this.view));
    this.view = null;
  }

  draw(view) {
    this.view = view;
    const { plot } = this;
    const signal = view.history.latest?.update.signal;
    if (plot.isHidden || !signal) return;
    const slots = view.history.slots(view.bins);
    const values = slots.map((slot) => view.history.signal[slot]);
    const threshold = Number.isFinite(signal.threshold) ? Math.abs(signal.threshold) : 0;
    const most =
      values.filter(Number.isFinite).reduce((a, b) => Math.max(a, Math.abs(b)), threshold * 1.25) ||
      1;
    const share = (value) => 0.5 - (0.46 * value) / most;
    plot.clear();
    plot.guide({ y: 0.5 });
    if (threshold)
      [threshold, -threshold].forEach((level) =>
        plot.guide({ y: share(level) }, theme().accent, [5, 4]),
      );
    plot.within((context) => this.#line(context, view.bins, values, share));
    plot.frame();
    plot.leftAxis(
      [most, 0, -most].map((value) => [share(value), compact(Number(value.toPrecision(2)))]),
      "signal",
    );
    plot.context.textAlign = "center";
    plot.context.textBaseline = "top";
    const kept = threshold ? `, broken lines at the threshold ±${compact(threshold)}` : "";
    plot.context.fillText(`signal ${signal.name}${kept}`, plot.x(0.5), plot.y(1) + 7);
  }

  #line(context, bins, values, share) {
    const { plot } = this;
    context.strokeStyle = theme().text;
    context.lineWidth = 1.25;
    context.lineJoin = "round";
    context.beginPath();
    let pen = false;
    values.forEach((value, i) => {
      if (!Number.isFinite(value)) return void (pen = false);
      const [x, y] = [plot.x((bins - values.length + i + 0.5) / bins), plot.y(share(value))];
      pen ? context.lineTo(x, y) : context.moveTo(x, y);
      pen = true;
    });
    context.stroke();
  }
}
