// Numbers, times and parameters as text with their units. Nothing here knows the page.

const NONE = "–";
const SIGN = { signDisplay: "exceptZero" };

/** A number with a fixed count of decimals, "–" for none. */
export function decimal(value, digits = 2, options = {}) {
  if (value == null || !Number.isFinite(Number(value))) return NONE;
  const format = { minimumFractionDigits: digits, maximumFractionDigits: digits, ...options };
  return Number(value).toLocaleString("en", format).replace("-", "−");
}

/** A number that always shows its sign, but for zero. */
export function signed(value, digits = 2) {
  return decimal(value, digits, SIGN);
}

/** A number with as many of its significant digits as tell something. */
export function compact(value) {
  return decimal(value, 0, {
    minimumFractionDigits: 0,
    maximumFractionDigits: undefined,
    maximumSignificantDigits: 5,
  });
}

/** A rate between 0 and 1 in per cent. */
export function percent(value) {
  return value == null ? NONE : `${decimal(value * 100, 1)} %`;
}

/** Milliseconds, in seconds from one second on. */
export function duration(ms) {
  if (ms == null) return NONE;
  return Math.abs(ms) < 1000 ? `${decimal(ms, 0)} ms` : `${decimal(ms / 1000, 1)} s`;
}

/** A point in time of the database, to the minute, UTC. */
export function moment(text) {
  const date = new Date(text ?? NaN);
  return Number.isNaN(date.getTime()) ? NONE : date.toISOString().slice(0, 16).replace("T", " ");
}

/** The time of day of milliseconds since the epoch, UTC. */
export function clock(ms, digits = 0) {
  if (!Number.isFinite(ms)) return NONE;
  const time = new Date(ms).toISOString().slice(11, 23);
  return digits ? time.slice(0, 9 + digits) : time.slice(0, 8);
}

/** Parameters of a run as `name value` pairs. */
export function parameters(mapping) {
  const entries = Object.entries(mapping ?? {});
  return entries.map(([name, value]) => `${name} ${shown(value)}`).join(", ") || NONE;
}

/** Any value of a document as text. */
export function shown(value) {
  if (value == null) return NONE;
  if (typeof value === "number") return compact(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
