// A plot of a report: it draws itself, answers the pointer and the arrow keys, zooms, hides curves.

class Plot {
  constructor(holder, data) {
    this.data = data;
    this.left = data.y.names ? LEFT_OF_NAMES : LEFT;
    this.hidden = new Set();
    this.whole = this.spanned();
    this.shown = this.whole;
    this.legend = element("div", "legend", holder);
    this.svg = part("svg", {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", tabindex: "0", "aria-label": data.title,
    }, holder);
    this.told = element("div", "told", holder);
    this.told.hidden = true;
    this.listKeys();
    this.listen();
    this.draw();
  }

  spanned() {
    const traces = this.data.traces;
    const [low, high] = range(traces.flatMap((trace) => [...across(trace)]));
    const exact = traces.every((trace) => ["bars", "cells"].includes(trace.kind));
    return exact && high > low ? [low, high] : widened(low, high);
  }

  colour(k) {
    return this.data.traces[k].colour || COLOURS[k % COLOURS.length];
  }

  listKeys() {
    const traces = this.data.traces;
    traces.forEach((trace, k) => {
      if (!trace.name) return;
      const button = element("button", "", this.legend);
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      element("span", "swatch", button).style.background = this.colour(k);
      button.append(trace.name);
      button.addEventListener("click", () => {
        const off = !this.hidden.delete(k);
        if (off) this.hidden.add(k);
        button.setAttribute("aria-pressed", String(!off));
        this.draw();
      });
    });
    const stripes = new Map((this.data.stripes || []).map((one) => [one.name, one.colour]));
    for (const [name, colour] of stripes) {
      const key = element("span", "", this.legend);
      element("span", "swatch", key).style.background = colour;
      key.append(name);
    }
    this.back = element("button", "", this.legend, "↺ whole");
    this.back.type = "button";
    this.back.hidden = true;
    this.back.addEventListener("click", () => this.zoom(this.whole));
  }

  zoom(shown) {
    this.shown = shown;
    this.back.hidden = shown === this.whole;
    this.told.hidden = true;
    this.draw();
  }

  x(value) {
    return this.left + (value - this.shown[0]) / (this.shown[1] - this.shown[0]) * (RIGHT - this.left);
  }

  y(value) {
    return FLOOR - (value - this.level[0]) / (this.level[1] - this.level[0]) * (FLOOR - TOP);
  }

  get visible() {
    return this.data.traces.map((trace, k) => [trace, k]).filter(([, k]) => !this.hidden.has(k));
  }

  draw() {
    const values = this.visible.flatMap(([trace]) => heights(trace, ...this.shown));
    let [low, high] = range(values);
    // Nothing lies where one has zoomed to: the whole says how high things are.
    if (!(high >= low)) [low, high] = range(this.visible.flatMap(([trace]) => heights(trace, ...this.whole)));
    const kinds = this.visible.map(([trace]) => trace.kind);
    const grounded = kinds.length > 0 && kinds.every((kind) => kind === "bars" || kind === "cells");
    this.level = grounded && high > 0 ? [0, kinds[0] === "bars" ? high * 1.05 : high] : widened(low, high);
    this.svg.replaceChildren();
    const clip = `clip-${this.data.id}`;
    const frame = part("clipPath", { id: clip }, this.svg);
    part("rect", { x: this.left, y: TOP, width: RIGHT - this.left, height: FLOOR - TOP }, frame);
    const behind = part("g", { "clip-path": `url(#${clip})` }, this.svg);
    for (const one of this.data.stripes || []) {
      const left = this.x(one.from), right = this.x(one.to);
      const stripe = part("rect", {
        x: left, y: TOP, width: Math.max(right - left, 0), height: FLOOR - TOP,
        fill: one.colour, "fill-opacity": 0.35,
      }, behind);
      part("title", {}, stripe, one.name);
    }
    this.drawAxes();
    const inside = part("g", { "clip-path": `url(#${clip})` }, this.svg);
    for (const [trace, k] of this.visible) this.drawTrace(inside, trace, this.colour(k));
    for (const one of this.data.marks || []) {
      part("line", { class: "mark", x1: this.x(one.x), x2: this.x(one.x), y1: TOP, y2: FLOOR }, inside);
      part("text", { x: this.x(one.x) + 4, y: TOP + 11 }, inside, one.name);
    }
    this.over = part("g", { "clip-path": `url(#${clip})` }, this.svg);
  }

  drawAxes() {
    const { x, y } = this.data;
    if (y.names) {
      y.names.forEach((name, k) => {
        const at = this.y(y.names.length - k - 0.5);
        part("text", { x: this.left - 6, y: at + 4, "text-anchor": "end" }, this.svg, name);
      });
    } else {
      for (const value of ticks(...this.level, 5)) {
        const at = this.y(value);
        part("line", { class: "grid", x1: this.left, x2: RIGHT, y1: at, y2: at }, this.svg);
        part("text", { x: this.left - 6, y: at + 4, "text-anchor": "end" }, this.svg, figure(value));
      }
    }
    for (const value of ticks(...this.shown, 8)) {
      const name = this.placed(value, true);
      if (name === "") continue;
      const at = this.x(value);
      part("line", { class: "axis", x1: at, x2: at, y1: FLOOR, y2: FLOOR + 4 }, this.svg);
      part("text", { x: at, y: FLOOR + 17, "text-anchor": "middle" }, this.svg, name);
    }
    part("line", { class: "axis", x1: this.left, x2: RIGHT, y1: FLOOR, y2: FLOOR }, this.svg);
    part("text", { x: RIGHT, y: FLOOR + 34, "text-anchor": "end" }, this.svg, x.label);
    if (y.label) part("text", { x: this.left, y: FLOOR + 34 }, this.svg, `↑ ${y.label}`);
  }

  // How a place on the horizontal axis is called; as a tick only where there is one.
  placed(value, tick) {
    const names = this.data.x.names;
    if (!names) return figure(value);
    const k = Math.round(value);
    if (tick && Math.abs(value - k) > 1e-6) return "";
    return names[k] ?? "";
  }

  drawTrace(inside, trace, colour) {
    const group = part("g", { class: `trace ${trace.kind}` }, inside);
    if (trace.kind === "line") this.drawLine(group, trace, colour);
    else if (trace.kind === "band") this.drawBand(group, trace, colour);
    else if (trace.kind === "points") this.drawPoints(group, trace, colour);
    else if (trace.kind === "bars") this.drawBars(group, trace, colour);
    else this.drawCells(group, trace);
  }

  drawLine(group, trace, colour) {
    let path = "", pen = false;
    trace.x.forEach((value, k) => {
      pen = known(trace.y[k]) ? `${pen ? "L" : "M"}${this.x(value).toFixed(1)} ${this.y(trace.y[k]).toFixed(1)}` : false;
      path += pen || "";
    });
    part("path", { d: path, fill: "none", stroke: colour, "stroke-width": 1.6 }, group);
    if (trace.x.length > 40) return;
    trace.x.forEach((value, k) => {
      if (known(trace.y[k])) part("circle", { cx: this.x(value), cy: this.y(trace.y[k]), r: 2.6, fill: colour }, group);
    });
  }

  drawBand(group, trace, colour) {
    const places = trace.x.map((_, k) => k).filter((k) => known(trace.low[k]) && known(trace.high[k]));
    const at = (k, side) => `${this.x(trace.x[k]).toFixed(1)},${this.y(trace[side][k]).toFixed(1)}`;
    const points = [...places.map((k) => at(k, "high")), ...places.reverse().map((k) => at(k, "low"))];
    part("polygon", { points: points.join(" "), fill: colour, "fill-opacity": trace.opacity || 0.2 }, group);
  }

  drawPoints(group, trace, colour) {
    const [low, high] = range(trace.value || []);
    trace.x.forEach((value, k) => {
      if (!known(value) || !known(trace.y[k])) return;
      const own = trace.value;
      const share = own && known(own[k]) ? (high > low ? (own[k] - low) / (high - low) : 1) : null;
      part("circle", {
        cx: this.x(value), cy: this.y(trace.y[k]), r: trace.x.length > 400 ? 3 : 6,
        fill: own ? (share === null ? "#8b949e" : shade(share)) : colour, "fill-opacity": 0.9,
      }, group);
    });
  }

  drawBars(group, trace, colour) {
    trace.heights.forEach((height, k) => {
      if (!known(height) || height === 0) return;
      const left = this.x(trace.edges[k]), right = this.x(trace.edges[k + 1]);
      const gap = right - left > 3 ? 1 : 0;
      part("rect", {
        x: left, y: this.y(height), width: Math.max(right - left - gap, 0.5),
        height: FLOOR - this.y(height), fill: colour, "fill-opacity": 0.75,
      }, group);
    });
  }

  drawCells(group, trace) {
    const [, most] = range(trace.values.flat());
    trace.values.forEach((row, r) => row.forEach((value, k) => {
      if (!known(value)) return;
      const left = this.x(k), right = this.x(k + 1);
      const top = this.y(trace.values.length - r), floor = this.y(trace.values.length - r - 1);
      part("rect", {
        x: left, y: top, width: Math.max(right - left - 1, 0.5), height: floor - top - 1,
        fill: value ? shade(most ? value / most : 0) : "#8b949e", "fill-opacity": value ? 0.9 : 0.15,
      }, group);
    }));
  }

  listen() {
    let from = null;
    const place = (event) => {
      const box = this.svg.getBoundingClientRect();
      const at = { x: (event.clientX - box.left) / box.width * WIDTH, y: (event.clientY - box.top) / box.height * HEIGHT };
      at.value = this.shown[0] + (at.x - this.left) / (RIGHT - this.left) * (this.shown[1] - this.shown[0]);
      return at;
    };
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.pointerType === "touch") return;
      from = place(event);
      this.svg.setPointerCapture(event.pointerId);
    });
    this.svg.addEventListener("pointermove", (event) => {
      const at = place(event);
      this.point(at);
      if (from && Math.abs(at.x - from.x) > 4) {
        const [left, right] = [from.x, at.x].sort((a, b) => a - b);
        part("rect", { class: "chosen", x: left, y: TOP, width: right - left, height: FLOOR - TOP }, this.over);
      }
    });
    this.svg.addEventListener("pointerup", (event) => {
      const at = place(event);
      if (from && Math.abs(at.x - from.x) > 8) {
        const [low, high] = [from.value, at.value].sort((a, b) => a - b);
        this.zoom([Math.max(low, this.whole[0]), Math.min(high, this.whole[1])]);
      }
      from = null;
    });
    this.svg.addEventListener("pointerleave", () => this.leave());
    this.svg.addEventListener("dblclick", () => this.zoom(this.whole));
    this.svg.addEventListener("blur", () => this.leave());
    this.svg.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") this.zoom(this.whole);
      if (!step) return;
      event.preventDefault();
      const inner = RIGHT - this.left;
      const x = Math.min(Math.max((this.pointed ?? this.left + inner / 2) + step * inner / 60, this.left), RIGHT);
      this.point({ x, y: (TOP + FLOOR) / 2, value: this.shown[0] + (x - this.left) / inner * (this.shown[1] - this.shown[0]) });
    });
  }

  leave() {
    this.told.hidden = true;
    this.over.replaceChildren();
  }

  point(at) {
    this.over.replaceChildren();
    if (at.x < this.left || at.x > RIGHT || at.y < TOP || at.y > FLOOR) {
      this.told.hidden = true;
      return;
    }
    this.pointed = at.x;
    part("line", { class: "cursor", x1: at.x, x2: at.x, y1: TOP, y2: FLOOR }, this.over);
    const lines = this.visible.flatMap(([trace]) => this.said(trace, at));
    this.told.hidden = lines.length === 0;
    this.told.textContent = lines.join("\n");
    const box = this.svg.getBoundingClientRect();
    const x = at.x / WIDTH * box.width;
    const right = at.x > WIDTH / 2;
    this.told.style.left = right ? "" : `${x + 12}px`;
    this.told.style.right = right ? `${box.width - x + 12}px` : "";
    this.told.style.top = `${this.legend.offsetTop + this.legend.offsetHeight + 16}px`;
  }

  said(trace, at) {
    const unit = this.data.y.unit || "", name = trace.name ? `${trace.name}: ` : "";
    if (trace.kind === "cells") {
      const k = Math.floor(at.value);
      const r = trace.values.length - 1 - Math.floor(this.level[0] + (FLOOR - at.y) / (FLOOR - TOP) * (this.level[1] - this.level[0]));
      const row = trace.values[r];
      return row && k in row ? [`${this.placed(k)} · ${this.data.y.names[r]}: ${figure(row[k])}`] : [];
    }
    if (trace.kind === "bars") {
      const k = trace.edges.findIndex((edge, j) => at.value >= edge && at.value < trace.edges[j + 1]);
      if (k < 0) return [];
      const where = this.data.x.names ? this.placed(trace.edges[k]) : `${figure(trace.edges[k])} to ${figure(trace.edges[k + 1])}`;
      return [`${where} · ${name}${figure(trace.heights[k])}${unit}`];
    }
    const nearest = trace.kind === "points" ? this.nearestPoint(trace, at) : this.nearest(trace.x, at.value);
    if (nearest < 0) return [];
    if (trace.said) return [trace.said[nearest]];
    const where = this.placed(trace.x[nearest]);
    if (trace.kind === "band") return [`${where} · ${name}${figure(trace.low[nearest])}${unit} to ${figure(trace.high[nearest])}${unit}`];
    return [`${where} · ${name}${figure(trace.y[nearest])}${unit}`];
  }

  nearest(places, value) {
    let best = -1, least = Infinity;
    places.forEach((one, k) => {
      const away = Math.abs(one - value);
      if (away < least) [best, least] = [k, away];
    });
    return best;
  }

  nearestPoint(trace, at) {
    let best = -1, least = 28 ** 2;
    trace.x.forEach((value, k) => {
      if (!known(value) || !known(trace.y[k])) return;
      const away = (this.x(value) - at.x) ** 2 + (this.y(trace.y[k]) - at.y) ** 2;
      if (away < least) [best, least] = [k, away];
    });
    return best;
  }
}
