// The colours of the style sheet as the canvases need them, and the scale of the heat map.

const NAMES = [
  "surface",
  "text",
  "muted",
  "rule",
  "bid",
  "ask",
  "accent",
  "low",
  "low-mid",
  "zero",
  "high-mid",
  "high",
];
const SHADES = 256;

let current = null;

/** Colours by name; read again after the reader has changed between light and dark. */
export function theme() {
  current ??= readTheme();
  return current;
}

/** Forget the colours when the scheme changes, and say so. */
export function onThemeChange(changed) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    current = null;
    changed();
  });
}

/** The pixel of a share from −1 to 1; nothing for what is no number. */
export function shade(share) {
  const { shades } = theme();
  const at = Math.round(((Math.max(-1, Math.min(1, share)) + 1) / 2) * (SHADES - 1));
  return shades[at] ?? 0;
}

function readTheme() {
  const style = getComputedStyle(document.documentElement);
  const colours = Object.fromEntries(
    NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]),
  );
  return { ...colours, shades: divergingShades(colours) };
}

// Five stops, so that small values already leave the colour of zero.
function divergingShades(colours) {
  const stops = [
    colours.low,
    colours["low-mid"],
    colours.zero,
    colours["high-mid"],
    colours.high,
  ].map(rgb);
  return Uint32Array.from({ length: SHADES }, (_, i) => {
    const at = (i / (SHADES - 1)) * (stops.length - 1);
    const left = Math.min(Math.floor(at), stops.length - 2);
    const [r, g, b] = stops[left].map((part, c) =>
      Math.round(part + (stops[left + 1][c] - part) * (at - left)),
    );
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}

function rgb(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}
