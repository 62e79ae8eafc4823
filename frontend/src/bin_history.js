// The newest bins of a stream in rings of typed arrays, in ticks and contracts. Nothing is drawn
// here: heat_map.js, profiles.js and strip.js draw.

const CAPACITY = 1200;
const NEEDED = ["k", "pressure_variant", "vacuum_variant", "flow_score", "bid_depth", "ask_depth"];

/** What a stream's first message says about prices and the window. */
export class Lattice {
  constructor(config) {
    const byBucket = config.product_type === "equity_mbo";
    this.tick = byBucket ? config.bucket_size_dollars : config.tick_size;
    this.tickInt = Math.round(this.tick / config.price_scale);
    this.decimals = config.price_decimals ?? 2;
    this.radius = config.grid_radius_ticks;
    this.rows = 2 * this.radius + 1;
    this.cellMs = config.cell_width_ms;
    this.horizonsMs = [...(config.projection_horizons_ms ?? [])];
    this.unit = config.qty_unit ?? "contracts";
  }

  /** The tick of a price given as a string of an integer, NaN where there is no price. */
  ticks(priceInt) {
    const price = Number(priceInt);
    return price > 0 ? halfEven(price / this.tickInt) : NaN;
  }

  price(ticks) {
    return ticks * this.tick;
  }
}

/** The last bins: column 0 is the oldest of those asked for, `count - 1` the newest. */
export class BinHistory {
  constructor(lattice) {
    const cells = CAPACITY * lattice.rows;
    this.lattice = lattice;
    this.maps = { net: new Float32Array(cells), flow: new Float32Array(cells) };
    this.centre = new Float64Array(CAPACITY).fill(NaN);
    this.bid = new Float64Array(CAPACITY).fill(NaN);
    this.ask = new Float64Array(CAPACITY).fill(NaN);
    this.endMs = new Float64Array(CAPACITY).fill(NaN);
    this.signal = new Float64Array(CAPACITY).fill(NaN);
    this.length = 0;
    this.latest = null;
  }

  append(update, columns) {
    const missing = NEEDED.filter((name) => !columns.has(name));
    if (missing.length) throw new Error(`its rows have no ${missing.join(", ")}`);
    if (columns.get("k").length !== this.lattice.rows)
      throw new Error("its rows are not the window's");
    const slot = this.length % CAPACITY;
    this.#fill(slot, columns);
    this.centre[slot] = this.lattice.ticks(update.spot_ref_price_int);
    this.bid[slot] = this.lattice.ticks(update.best_bid_price_int);
    this.ask[slot] = this.lattice.ticks(update.best_ask_price_int);
    this.endMs[slot] = Number(BigInt(update.bin_end_ns) / 1_000_000n);
    this.signal[slot] = update.signal?.value ?? NaN;
    this.length += 1;
    this.latest = { update, columns, slot };
  }

  /** Ring slots of the newest `wanted` bins, oldest first. */
  slots(wanted) {
    const count = Math.min(wanted, this.length, CAPACITY);
    return Array.from({ length: count }, (_, i) => (this.length - count + i) % CAPACITY);
  }

  #fill(slot, columns) {
    const { rows } = this.lattice;
    const pressure = columns.get("pressure_variant");
    const vacuum = columns.get("vacuum_variant");
    const net = this.maps.net.subarray(slot * rows, (slot + 1) * rows);
    for (let row = 0; row < rows; row++) net[row] = pressure[row] - vacuum[row];
    this.maps.flow.set(columns.get("flow_score"), slot * rows);
  }
}

/** Mean of a column over the rows with |k| <= reach; NaN when no row has a number. */
export function meanNear(columns, name, reach) {
  const k = columns.get("k");
  const values = columns.get(name);
  if (!values) return NaN;
  let sum = 0;
  let count = 0;
  for (let row = 0; row < k.length; row++) {
    if (Math.abs(k[row]) > reach || !Number.isFinite(values[row])) continue;
    sum += values[row];
    count += 1;
  }
  return count ? sum / count : NaN;
}

function halfEven(value) {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}
