"use strict";
// Numbers to pixels, words and colours, and elements of a page; every text is set as text.

const WIDTH = 960, HEIGHT = 320, RIGHT = 944, TOP = 14, FLOOR = 276;
const LEFT = 64, LEFT_OF_NAMES = 196;
const COLOURS = ["#0b6bcb", "#c2410c", "#15803d", "#7e22ce", "#b45309", "#0e7490", "#be185d"];
const SCALE = ["#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725"];
const SVG = "http://www.w3.org/2000/svg";

function part(name, attributes, parent, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

function element(name, kind, parent, text) {
  const node = document.createElement(name);
  if (kind) node.className = kind;
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

function known(value) {
  return typeof value === "number" && Number.isFinite(value);
}

function figure(value) {
  if (!known(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) return value.toExponential(2);
  const text = size >= 1000 ? value.toFixed(size >= 1e5 ? 0 : 1) : value.toPrecision(5);
  const [whole, rest = ""] = text.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, " ");
  const kept = rest.replace(/0+$/, "");
  return kept ? `${grouped}.${kept}` : grouped;
}

function ticks(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((one) => one >= raw);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) {
    found.push(k * step);
  }
  return found;
}

function widened(low, high) {
  if (!(high >= low)) return [0, 1];
  if (low === high) return [low - (Math.abs(low) * 0.05 || 1), high + (Math.abs(high) * 0.05 || 1)];
  const margin = (high - low) * 0.04;
  return [low - margin, high + margin];
}

function range(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (known(value)) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return [low, high];
}

function shade(share) {
  const place = Math.min(Math.max(share, 0), 1) * (SCALE.length - 1);
  const k = Math.min(Math.floor(place), SCALE.length - 2);
  const mixed = [1, 3, 5].map((at) => {
    const [a, b] = [SCALE[k], SCALE[k + 1]].map((hue) => parseInt(hue.slice(at, at + 2), 16));
    return Math.round(a + (b - a) * (place - k)).toString(16).padStart(2, "0");
  });
  return `#${mixed.join("")}`;
}

// What a trace spans across and up, x positions as the data or as their places.
function across(trace) {
  if (trace.kind === "bars") return trace.edges;
  if (trace.kind === "cells") return [0, trace.values[0].length];
  return trace.x;
}

function heights(trace, from, to) {
  const inside = (k) => trace.x[k] >= from && trace.x[k] <= to;
  if (trace.kind === "bars") {
    return [0, ...trace.heights.filter((_, k) => trace.edges[k + 1] >= from && trace.edges[k] <= to)];
  }
  if (trace.kind === "cells") return [0, trace.values.length];
  if (trace.kind === "band") {
    return [...trace.low.filter((_, k) => inside(k)), ...trace.high.filter((_, k) => inside(k))];
  }
  return trace.y.filter((_, k) => inside(k));
}
