// Which prices are on the screen: the heat map and the profiles beside it share these rows. The
// window stands still while the spot moves near its middle, so that the picture does not tremble.

import { decimal, signed } from "./format.js";
import { roundMarks } from "./plot.js";

/** 2R + 1 rows of one tick, the highest price first. */
export class PriceWindow {
  constructor(lattice) {
    this.lattice = lattice;
    this.middle = NaN;
  }

  get rows() {
    return this.lattice.rows;
  }

  get top() {
    return this.middle + this.lattice.radius;
  }

  follow(centre) {
    const slack = Math.max(Math.floor(this.lattice.radius / 4), 1);
    if (Number.isFinite(centre) && !(Math.abs(centre - this.middle) <= slack)) this.middle = centre;
  }

  /** Share of the height of the middle of a tick's row. */
  share(ticks) {
    return (this.top - ticks + 0.5) / this.rows;
  }

  /** The tick at a share of the height. */
  tickAt(share) {
    return this.top - Math.floor(share * this.rows);
  }

  priceMarks() {
    const { lattice } = this;
    const [low, high] = [this.top - this.rows + 1, this.top].map((ticks) => lattice.price(ticks));
    return roundMarks(low, high, 7)
      .map((price) => Math.round(price / lattice.tick))
      .map((ticks) => [this.share(ticks), decimal(lattice.price(ticks), lattice.decimals)]);
  }

  /** Distances from the spot of the newest bin, for the right-hand axis. */
  distanceMarks(centre) {
    if (!Number.isFinite(centre)) return [];
    const { radius } = this.lattice;
    return roundMarks(-radius, radius, 8)
      .filter((k) => Number.isInteger(k))
      .map((k) => [this.share(centre + k), signed(k, 0)])
      .filter(([share]) => share > 0 && share < 1);
  }
}
