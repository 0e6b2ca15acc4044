// The points by cell of a grid, so that the nearest one, and how busy a part of the map is, are found without
// looking at all of them. Coordinates are uint16 pairs, 0, 0 for a document without a place; map space is [0, 1].

const CELLS = 512;

class Cells {
  constructor(points) {
    const n = points.length / 2;
    const cell = (k) => (points[2 * k + 1] >> 7) * CELLS + (points[2 * k] >> 7);
    this.tally = new Uint32Array(CELLS * CELLS);
    for (let k = 0; k < n; k++) if (points[2 * k] || points[2 * k + 1]) this.tally[cell(k)]++;
    this.starts = new Uint32Array(CELLS * CELLS + 1);
    for (let c = 0; c < CELLS * CELLS; c++) this.starts[c + 1] = this.starts[c] + this.tally[c];
    // Rows by cell, and their points in the same order: neighbours on the map are neighbours in memory.
    const next = this.starts.slice();
    this.rows = new Uint32Array(this.starts[CELLS * CELLS]);
    this.points = new Uint16Array(2 * this.rows.length);
    for (let k = 0; k < n; k++) {
      const x = points[2 * k];
      const y = points[2 * k + 1];
      if (!x && !y) continue;
      const at = next[(y >> 7) * CELLS + (x >> 7)]++;
      this.rows[at] = k;
      this.points[2 * at] = x;
      this.points[2 * at + 1] = y;
    }
  }

  // How many points a part of the map holds, and the points per cell that 1% of them exceed.
  seen(x0, y0, x1, y1) {
    const [left, right] = [clampCell(x0), clampCell(x1) + 1];
    const found = new Uint32Array((right - left) * (clampCell(y1) - clampCell(y0) + 1));
    let total = 0;
    let full = 0;
    for (let j = clampCell(y0); j <= clampCell(y1); j++) {
      for (let c = j * CELLS + left; c < j * CELLS + right; c++) {
        if (!this.tally[c]) continue;
        found[full++] = this.tally[c];
        total += this.tally[c];
      }
    }
    const ranked = found.subarray(0, full).sort();
    let at = full - 1;
    for (let beyond = ranked[at]; at > 0 && beyond <= 0.01 * total; beyond += ranked[at]) at--;
    return { total, busiest: full ? ranked[at] : 0 };
  }

  // Where the rows of a part of the map lie among the sorted ones, a span for each row of cells; one span for a
  // part as wide as the map.
  spans(x0, y0, x1, y1) {
    const [left, right, low, high] = [clampCell(x0), clampCell(x1) + 1, clampCell(y0), clampCell(y1)];
    if (left === 0 && right === CELLS) return [[this.starts[low * CELLS], this.starts[(high + 1) * CELLS]]];
    const found = [];
    for (let j = low; j <= high; j++) {
      const span = [this.starts[j * CELLS + left], this.starts[j * CELLS + right]];
      if (span[0] < span[1]) found.push(span);
    }
    return found;
  }

  // The row nearest to a place, among those within reach that `near(row, x, y)` gives a squared distance below `limit`.
  nearest([x0, y0, x1, y1], limit, near) {
    let best = -1;
    let looked = 0;
    for (let j = clampCell(y0); j <= clampCell(y1); j++) {
      for (let i = clampCell(x0); i <= clampCell(x1); i++) {
        const c = j * CELLS + i;
        for (let at = this.starts[c]; at < this.starts[c + 1]; at++) {
          if (++looked > 200000) return best;
          const distance = near(this.rows[at], this.points[2 * at], this.points[2 * at + 1]);
          if (distance < limit) [best, limit] = [this.rows[at], distance];
        }
      }
    }
    return best;
  }
}

function clampCell(value) {
  return Math.min(CELLS - 1, Math.max(0, Math.floor(value * CELLS)));
}
