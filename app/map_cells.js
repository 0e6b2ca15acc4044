// The points by cell of a grid, so that the nearest one, and how busy a part of the map is, are found without
// looking at all of them. Coordinates are uint16 pairs, 0, 0 for a document without a place; map space is [0, 1].

const CELLS = 512;

class Cells {
  constructor(points) {
    this.points = points;
    this.n = points.length / 2;
    this.tally = new Uint32Array(CELLS * CELLS);
    for (let k = 0; k < this.n; k++) this.tally[this.cell(k)]++;
    for (let k = 0; k < this.n; k++) if (!points[2 * k] && !points[2 * k + 1]) this.tally[0]--;
    this.rows = null;
  }

  cell(k) {
    return (this.points[2 * k + 1] >> 7) * CELLS + (this.points[2 * k] >> 7);
  }

  // Rows sorted by cell; made when first asked for.
  sort() {
    if (this.rows) return;
    const starts = new Uint32Array(CELLS * CELLS + 1);
    for (let c = 0; c < CELLS * CELLS; c++) starts[c + 1] = starts[c] + this.tally[c];
    const next = starts.slice();
    this.rows = new Uint32Array(this.n);
    for (let k = 0; k < this.n; k++) if (this.points[2 * k] || this.points[2 * k + 1]) this.rows[next[this.cell(k)]++] = k;
    this.starts = starts;
  }

  // Points per cell that 1% of the points in a part of the map exceed.
  busiest(x0, y0, x1, y1) {
    const found = [];
    let total = 0;
    for (let j = clampCell(y0); j <= clampCell(y1); j++) {
      for (let i = clampCell(x0); i <= clampCell(x1); i++) {
        const tally = this.tally[j * CELLS + i];
        if (tally) found.push(tally);
        total += tally;
      }
    }
    found.sort((a, b) => b - a);
    let seen = 0;
    for (const tally of found) {
      seen += tally;
      if (seen > 0.01 * total) return tally;
    }
    return 0;
  }

  // The row nearest to a place, among those within reach that `near(row)` gives a squared distance below `limit` for.
  nearest([x0, y0, x1, y1], limit, near) {
    this.sort();
    let best = -1;
    let looked = 0;
    for (let j = clampCell(y0); j <= clampCell(y1); j++) {
      for (let i = clampCell(x0); i <= clampCell(x1); i++) {
        const c = j * CELLS + i;
        for (let at = this.starts[c]; at < this.starts[c + 1]; at++) {
          if (++looked > 200000) return best;
          const distance = near(this.rows[at]);
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
