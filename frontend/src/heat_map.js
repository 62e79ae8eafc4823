// Time to the right, price upwards: pressure less vacuum, or the flow score, with the best bid and
// ask over it. The rows are those of price_window.js, the bins those of bin_history.js.

import { clock, signed } from "./format.js";
import { Plot } from "./plot.js";
import { shade, theme } from "./theme.js";

export const MARGINS = { left: 78, right: 8, top: 10, bottom: 36 };
const SCALE_SHARE = 0.985;
const SCALE_SAMPLES = 4000;
const TIME_STEPS_S = [1, 2, 5, 10, 15, 30, 60, 300, 900, 3600, 14_400];

/** What can be shown, its unit, and its fixed scale where it has one. */
export const LAYERS = {
  net: { title: "pressure − vacuum", unit: (lattice) => `, ${lattice.unit}/s`, scale: null },
  flow: { title: "flow score", unit: () => "", scale: 1 },
};

export class HeatMap {
  constructor(canvas, readout) {
    this.plot = new Plot(canvas, MARGINS, () => this.view && this.draw(this.view));
    this.image = document.createElement("canvas");
    this.view = null;
    this.scale = 1;
    canvas.addEventListener("pointermove", (event) => readout(this.#under(event)));
    canvas.addEventListener("pointerleave", () => readout(null));
  }

  /** Draw `view`: {history, window, layer, bins}. */
  draw(view) {
    this.view = view;
    const { plot } = this;
    if (plot.isHidden) return;
    const slots = view.history.slots(view.bins);
    this.scale = LAYERS[view.layer].scale ?? scaleOf(view, slots);
    this.#paint(view, slots);
    plot.clear();
    plot.within((context) => {
      context.imageSmoothingEnabled = false;
      context.drawImage(this.image, plot.left, plot.top, plot.innerWidth, plot.innerHeight);
      this.#bestPrices(context, view, slots);
    });
    plot.frame();
    plot.leftAxis(view.window.priceMarks(), "price");
    plot.bottomAxis(
      timeMarks(view, slots),
      `bin end, UTC (one bin is ${view.history.lattice.cellMs} ms)`,
    );
    plot.canvas.dataset.bins = slots.length;
  }

  #paint({ history, window, layer, bins }, slots) {
    const { rows, radius } = history.lattice;
    if (this.image.width !== bins || this.image.height !== rows)
      Object.assign(this.image, { width: bins, height: rows });
    const context = this.image.getContext("2d");
    const picture = context.createImageData(bins, rows);
    const pixels = new Uint32Array(picture.data.buffer);
    const values = history.maps[layer];
    slots.forEach((slot, i) => {
      const column = bins - slots.length + i;
      for (let y = 0; y < rows; y++) {
        const row = window.top - y - history.centre[slot] + radius;
        if (!(row >= 0 && row < rows)) continue;
        pixels[y * bins + column] = shade(values[slot * rows + row] / this.scale);
      }
    });
    context.putImageData(picture, 0, 0);
  }

  #bestPrices(context, { history, window, bins }, slots) {
    const { plot } = this;
    const first = bins - slots.length;
    context.lineWidth = 1.5;
    context.lineJoin = "round";
    for (const side of ["bid", "ask"]) {
      context.strokeStyle = theme()[side];
      context.beginPath();
      let pen = false;
      slots.forEach((slot, i) => {
        const ticks = history[side][slot];
        if (!Number.isFinite(ticks)) return void (pen = false);
        const y = plot.y(window.share(ticks));
        const x = plot.x((first + i) / bins);
        pen ? context.lineTo(x, y) : context.moveTo(x, y);
        context.lineTo(plot.x((first + i + 1) / bins), y);
        pen = true;
      });
      context.stroke();
    }
  }

  #under(event) {
    const { plot, view } = this;
    if (!view) return null;
    const across = (event.offsetX - plot.left) / plot.innerWidth;
    const down = (event.offsetY - plot.top) / plot.innerHeight;
    if (!(across >= 0 && across < 1 && down >= 0 && down < 1)) return null;
    const slots = view.history.slots(view.bins);
    const slot = slots[Math.floor(across * view.bins) - (view.bins - slots.length)];
    if (slot === undefined) return null;
    return readingAt(view, slot, view.window.tickAt(down));
  }
}

/** Marks at whole seconds, from the newest bin back. */
export function timeMarks({ history, bins }, slots) {
  if (!slots.length) return [];
  const { cellMs } = history.lattice;
  const newest = history.endMs[slots.at(-1)];
  const spanMs = bins * cellMs;
  const stepMs = 1000 * (TIME_STEPS_S.find((step) => spanMs / step <= 7000) ?? TIME_STEPS_S.at(-1));
  const marks = [];
  for (let at = Math.floor(newest / stepMs) * stepMs; marks.length < 12; at -= stepMs) {
    const share = 1 - (newest - at) / spanMs;
    if (share < (bins - slots.length) / bins) break;
    marks.push([share, clock(at)]);
  }
  return marks;
}

function readingAt({ history, layer }, slot, ticks) {
  const { lattice } = history;
  const k = ticks - history.centre[slot];
  const value =
    Math.abs(k) <= lattice.radius
      ? history.maps[layer][slot * lattice.rows + k + lattice.radius]
      : NaN;
  return { endMs: history.endMs[slot], price: lattice.price(ticks), k: signed(k, 0), value };
}

// Near the largest magnitude, but not of a single outlier; every so many cells are enough.
function scaleOf({ history, layer }, slots) {
  const { rows } = history.lattice;
  const step = Math.max(Math.floor((slots.length * rows) / SCALE_SAMPLES), 1);
  const found = [];
  for (let cell = 0; cell < slots.length * rows; cell += step) {
    const value = Math.abs(
      history.maps[layer][slots[Math.floor(cell / rows)] * rows + (cell % rows)],
    );
    if (value > 0) found.push(value);
  }
  if (!found.length) return 1;
  found.sort((a, b) => a - b);
  return found[Math.floor((found.length - 1) * SCALE_SHARE)];
}
