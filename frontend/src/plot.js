// A canvas with margins, axes and labels, sharp on every screen. What is plotted is said by
// heat_map.js, profiles.js and strip.js.

import { theme } from "./theme.js";

const FONT = "11px system-ui, sans-serif";
const TICK = 4;

/** One canvas; `draw` is called with the plot whenever its size changes. */
export class Plot {
  constructor(canvas, margins, draw) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.margins = margins;
    new ResizeObserver(() => this.#resize(draw)).observe(canvas);
    this.width = 0;
    this.height = 0;
  }

  get left() {
    return this.margins.left;
  }

  get top() {
    return this.margins.top;
  }

  get innerWidth() {
    return Math.max(this.width - this.margins.left - this.margins.right, 0);
  }

  get innerHeight() {
    return Math.max(this.height - this.margins.top - this.margins.bottom, 0);
  }

  get isHidden() {
    return this.innerWidth < 2 || this.innerHeight < 2;
  }

  /** Position of a share (0 … 1) of the width, and of the height from the top. */
  x(share) {
    return this.left + share * this.innerWidth;
  }

  y(share) {
    return this.top + share * this.innerHeight;
  }

  clear() {
    const { context } = this;
    context.fillStyle = theme().surface;
    context.fillRect(0, 0, this.width, this.height);
    context.font = FONT;
    context.lineWidth = 1;
  }

  /** Draw with nothing leaving the frame. */
  within(draw) {
    this.context.save();
    this.context.beginPath();
    this.context.rect(this.left, this.top, this.innerWidth, this.innerHeight);
    this.context.clip();
    draw(this.context);
    this.context.restore();
  }

  frame() {
    this.context.strokeStyle = theme().rule;
    this.context.strokeRect(
      this.left + 0.5,
      this.top + 0.5,
      this.innerWidth - 1,
      this.innerHeight - 1,
    );
  }

  /** Marks below the frame: `marks` are [share, text], `title` names quantity and unit. */
  bottomAxis(marks, title) {
    const { context } = this;
    const floor = this.top + this.innerHeight;
    context.strokeStyle = theme().rule;
    context.textBaseline = "top";
    context.fillStyle = theme().muted;
    for (const [share, text] of marks) {
      const half = context.measureText(text).width / 2;
      const x = this.x(share);
      this.#line(x, floor, x, floor + TICK);
      context.textAlign = "left";
      context.fillText(
        text,
        Math.min(Math.max(x - half, 0), this.width - 2 * half),
        floor + TICK + 2,
      );
    }
    context.textAlign = "center";
    context.fillText(title, this.x(0.5), floor + TICK + 17);
  }

  leftAxis(marks, title) {
    this.#sideAxis(marks, title, this.left, -1);
  }

  rightAxis(marks, title) {
    this.#sideAxis(marks, title, this.left + this.innerWidth, 1);
  }

  /** A broken line at a share of the width or height. */
  guide({ x, y }, colour = theme().rule, dash = [3, 3]) {
    const { context } = this;
    context.save();
    context.strokeStyle = colour;
    context.setLineDash(dash);
    if (x !== undefined) this.#line(this.x(x), this.top, this.x(x), this.top + this.innerHeight);
    if (y !== undefined) this.#line(this.left, this.y(y), this.left + this.innerWidth, this.y(y));
    context.restore();
  }

  #sideAxis(marks, title, edge, direction) {
    const { context } = this;
    context.strokeStyle = theme().rule;
    context.fillStyle = theme().muted;
    context.textBaseline = "middle";
    context.textAlign = direction < 0 ? "right" : "left";
    for (const [share, text] of marks) {
      this.#line(edge, this.y(share), edge + direction * TICK, this.y(share));
      context.fillText(text, edge + direction * (TICK + 3), this.y(share));
    }
    context.save();
    context.translate(direction < 0 ? 8 : this.width - 8, this.y(0.5));
    context.rotate((direction * Math.PI) / 2);
    context.textAlign = "center";
    context.fillText(title, 0, 0);
    context.restore();
  }

  #line(x0, y0, x1, y1) {
    this.context.beginPath();
    this.context.moveTo(Math.round(x0) + 0.5, Math.round(y0) + 0.5);
    this.context.lineTo(Math.round(x1) + 0.5, Math.round(y1) + 0.5);
    this.context.stroke();
  }

  #resize(draw) {
    const ratio = window.devicePixelRatio || 1;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    draw(this);
  }
}

/** Round numbers between two, about as many as wanted. */
export function roundMarks(low, high, wanted) {
  const rough = (high - low) / Math.max(wanted, 1);
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(last - first + 1, 0) }, (_, i) => (first + i) * step);
}
