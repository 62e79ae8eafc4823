// Beside the heat map, on its price rows and of the newest bin: resting depth of both sides, and
// the projected flow score of every price for every horizon, as the stream's rows have them.

import { compact, decimal } from "./format.js";
import { Plot, roundMarks } from "./plot.js";
import { shade, theme } from "./theme.js";

const DEPTH_MARGINS = { left: 8, right: 8, top: 10, bottom: 36 };
const PROJECTION_MARGINS = { left: 10, right: 46, top: 10, bottom: 36 };

/** Bars of the bid and ask depth at every price. */
export class DepthProfile {
  constructor(canvas) {
    this.plot = new Plot(canvas, DEPTH_MARGINS, () => this.view && this.draw(this.view));
    this.view = null;
    this.most = 1;
  }

  draw(view) {
    this.view = view;
    const { plot } = this;
    if (plot.isHidden || view.history.latest === null) return;
    const { columns, slot } = view.history.latest;
    const centre = view.history.centre[slot];
    const sides = ["bid", "ask"].map((side) => [side, columns.get(`${side}_depth`)]);
    this.#grow(Math.max(...sides.map(([, depth]) => depth.reduce((a, b) => Math.max(a, b), 0))));
    plot.clear();
    plot.within((context) => {
      for (const [side, depth] of sides) this.#bars(context, view, centre, theme()[side], depth);
    });
    plot.frame();
    const marks = roundMarks(0, this.most, 3).map((depth) => [depth / this.most, compact(depth)]);
    plot.bottomAxis(marks, `resting depth, ${view.history.lattice.unit}`);
  }

  // A scale that grows at once and shrinks slowly does not jump with every order.
  #grow(most) {
    this.most = Math.max(most, this.most * 0.995, 1);
  }

  #bars(context, { window, history }, centre, colour, depth) {
    const { plot } = this;
    const thick = plot.innerHeight / window.rows;
    context.fillStyle = colour;
    depth.forEach((size, row) => {
      if (!(size > 0)) return;
      const y = plot.y(window.share(centre + row - history.lattice.radius)) - thick / 2;
      context.fillRect(
        plot.left,
        y + 0.1 * thick,
        (size / this.most) * plot.innerWidth,
        Math.max(0.8 * thick, 1),
      );
    });
  }
}

/** A small map: now and every horizon to the right, price upwards, the score as colour. */
export class ProjectionProfile {
  constructor(canvas) {
    this.plot = new Plot(canvas, PROJECTION_MARGINS, () => this.view && this.draw(this.view));
    this.image = document.createElement("canvas");
    this.view = null;
  }

  draw(view) {
    this.view = view;
    const { plot } = this;
    if (plot.isHidden || view.history.latest === null) return;
    const { horizonsMs } = view.history.lattice;
    const centre = view.history.centre[view.history.latest.slot];
    this.#paint(view, centre);
    plot.clear();
    plot.within((context) => {
      context.imageSmoothingEnabled = false;
      context.drawImage(this.image, plot.left, plot.top, plot.innerWidth, plot.innerHeight);
    });
    plot.frame();
    plot.rightAxis(view.window.distanceMarks(centre), "k, ticks from spot");
    const names = ["now", ...horizonsMs.map((ms) => decimal(ms, 0))];
    plot.bottomAxis(
      names.map((name, i) => [(i + 0.5) / names.length, name]),
      "projected score in … ms",
    );
  }

  #paint({ window, history }, centre) {
    const { horizonsMs, rows, radius } = history.lattice;
    const scores = ["flow_score", ...horizonsMs.map((ms) => `proj_score_h${ms}`)].map((name) =>
      history.latest.columns.get(name),
    );
    Object.assign(this.image, { width: scores.length, height: rows });
    const context = this.image.getContext("2d");
    const picture = context.createImageData(scores.length, rows);
    const pixels = new Uint32Array(picture.data.buffer);
    for (let y = 0; y < rows; y++) {
      const row = window.top - y - centre + radius;
      if (!(row >= 0 && row < rows)) continue;
      scores.forEach((score, column) => {
        if (score) pixels[y * scores.length + column] = shade(score[row]);
      });
    }
    context.putImageData(picture, 0, 0);
  }
}
