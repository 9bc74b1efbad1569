// Which rows lie where: cells of the map with their rows, so that a pointer finds its row at once.

import { RANGE } from "./view.js";

const CELLS = 128; // along each side

export class Places {
  constructor(x, y) {
    Object.assign(this, {
      x,
      y,
      starts: new Uint32Array(CELLS * CELLS + 1),
      rows: new Uint32Array(x.length),
    });
    const cells = Uint16Array.from(x, (value, row) => cellOf(value) + CELLS * cellOf(y[row]));
    for (const cell of cells) this.starts[cell + 1]++;
    for (let cell = 0; cell < CELLS * CELLS; cell++) this.starts[cell + 1] += this.starts[cell];
    const next = this.starts.slice();
    cells.forEach((cell, row) => {
      this.rows[next[cell]++] = row;
    });
  }

  /** Calls `see(row)` for the rows of all cells that the box touches. */
  within(left, bottom, right, top, see) {
    for (let down = cellOf(bottom); down <= cellOf(top); down++) {
      const [first, last] = [cellOf(left) + CELLS * down, cellOf(right) + CELLS * down];
      for (let at = this.starts[first]; at < this.starts[last + 1]; at++) see(this.rows[at]);
    }
  }

  /** The nearest row within `reach` units that `counts(row)`, or -1. */
  nearest(x, y, reach, counts) {
    let [found, least] = [-1, reach * reach];
    this.within(x - reach, y - reach, x + reach, y + reach, (row) => {
      const away = (this.x[row] - x) ** 2 + (this.y[row] - y) ** 2;
      if (away <= least && counts(row)) [found, least] = [row, away];
    });
    return found;
  }

  /** Rows inside the polygon [[x, y], ...], in order. */
  inside(polygon) {
    const [xs, ys] = [polygon.map(([x]) => x), polygon.map(([, y]) => y)];
    const found = [];
    this.within(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys), (row) => {
      if (holds(polygon, this.x[row], this.y[row])) found.push(row);
    });
    return found.sort((one, other) => one - other);
  }
}

function cellOf(value) {
  return Math.min(Math.max(Math.floor((value / (RANGE + 1)) * CELLS), 0), CELLS - 1);
}

/** By the even-odd rule. */
function holds(polygon, x, y) {
  let inside = false;
  polygon.forEach(([oneX, oneY], at) => {
    const [otherX, otherY] = polygon[(at || polygon.length) - 1];
    if (oneY > y !== otherY > y && x < ((otherX - oneX) * (y - oneY)) / (otherY - oneY) + oneX)
      inside = !inside;
  });
  return inside;
}
