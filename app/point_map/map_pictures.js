// Pictures on the map, where documents are pictures and few enough are in view: one for each square of a grid that lies
// on the map, not on the screen, so that panning changes none of them; coming nearer divides squares, and what stood
// there stays. Thumbnails come many in one answer and are decoded beside the page; each is fetched once.

const NEAR = 24; // Pixels between documents, were they spread over the view, from which pictures are shown.
const STAY = 16; // The same for pictures that are there: a panel beside the map makes it narrower, and they stay.
const LEAST = 40; // Least side of a square of the grid, in pixels, at most twice that; more the nearer the view is.
const LARGEST = 2.4; // Times the squares are larger in the nearest views.
const BUDGET = 400; // Pictures in a frame: on a large screen squares are larger.
const FILLED = 0.84; // Share of a square that its picture fills.
const BATCH = 48; // Thumbnails in one answer.
const FLYING = 2; // Answers awaited at a time.
const KEPT = 1_200; // Decoded thumbnails in memory.
const FADED = 0.22; // Strength of pictures outside the selection, or dropped.
const EDGE = 1.6; // Width of the frame in the colour of its group, in pixels.

// A fixed number for each row that looks random: the row with the least one stands for its square.
function rankOf(row) {
  let mixed = Math.imul(row + 1, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

class Pictures {
  constructor(map) {
    this.map = map;
    this.kept = new Map(); // Row to its decoded thumbnail, null where there is none; the last used is the last.
    this.asked = new Set();
    this.flying = 0;
    this.shown = []; // What stands on the map: { row, x, y, width, height, strength }.
    this.path = "";
    this.near = false; // Whether the view is so near that pictures are shown.
  }

  get on() {
    return Boolean(this.map.data?.pictures) && left.pictures;
  }

  // The rows that stand for the squares in view, each with its place in pixels, and the side of a picture.
  choose() {
    const { map } = this;
    const { cells, group, hidden } = map;
    const [x0, y0, x1, y1] = map.frame();
    const seen = cells.seen(x0, y0, x1, y1).total;
    this.near = seen > 0 && Math.sqrt((map.room * map.height) / seen) >= (this.near ? STAY : NEAR);
    if (!this.near) return { side: 0, found: [] };
    // Squares are powers of two of the map's own unit, 1/65536 of its width.
    const [ux, uy] = [map.room / (x1 - x0) / 65535, map.height / (y1 - y0) / 65535];
    const near = Math.max(1, map.view.zoom / map.data.home.zoom) ** 0.3;
    const least = Math.max(LEAST * Math.min(LARGEST, near), Math.sqrt((map.room * map.height) / BUDGET));
    const [kx, ky] = [ux, uy].map((unit) => Math.min(15, Math.max(0, Math.ceil(Math.log2(least / unit)))));
    const cut = (value, k) => Math.min(65535, Math.max(0, Math.round(value * 65535))) >> k;
    const [left, right, low, high] = [cut(x0, kx), cut(x1, kx), cut(y0, ky), cut(y1, ky)];
    const wide = right - left + 1;
    const best = new Int32Array(wide * (high - low + 1)).fill(-1);
    const rank = new Float64Array(best.length).fill(Infinity);
    const whole = [(left << kx) / 65535, (low << ky) / 65535, ((right + 1) << kx) / 65535, ((high + 1) << ky) / 65535];
    for (const [from, to] of cells.spans(...whole)) {
      for (let q = from; q < to; q++) {
        const [i, j] = [(cells.points[2 * q] >> kx) - left, (cells.points[2 * q + 1] >> ky) - low];
        if (i < 0 || j < 0 || i >= wide || j > high - low) continue;
        const row = cells.rows[q];
        if (hidden.has(group[row])) continue;
        const mine = rankOf(row);
        const at = j * wide + i;
        if (mine < rank[at]) [rank[at], best[at]] = [mine, q];
      }
    }
    const found = [];
    for (const q of best) {
      if (q < 0) continue;
      const [x, y] = map.toScreen(cells.points[2 * q] / 65535, cells.points[2 * q + 1] / 65535);
      found.push({ row: cells.rows[q], x, y });
    }
    return { side: FILLED * Math.min(ux * 2 ** kx, uy * 2 ** ky), found };
  }

  // Draws what is there and asks for the rest.
  draw(draw, paper) {
    const before = this.shown.length;
    this.paper = paper;
    this.shown = [];
    const wanted = [];
    if (this.on && this.map.cells) {
      if (this.path !== this.map.data.pictures) this.forget();
      const { side, found } = this.choose();
      const { data, flag, group } = this.map;
      for (const { row, x, y } of found) {
        const thumb = this.kept.get(row);
        if (thumb === undefined) wanted.push(row);
        if (!thumb) continue;
        this.kept.delete(row);
        this.kept.set(row, thumb);
        const scale = side / Math.max(thumb.width, thumb.height);
        const front = (!data.overlay || flag[row] & 1) && (!data.selected || flag[row] & 2);
        const [width, height] = [thumb.width * scale, thumb.height * scale];
        this.shown.push({ row, x: x - width / 2, y: y - height / 2, width, height, strength: front ? 1 : FADED });
        this.paint(draw, this.shown.at(-1), thumb, data.palette[group[row]]);
      }
    }
    this.map.root.dataset.pictures = this.shown.length;
    this.map.root.dataset.awaited = wanted.length;
    this.wanted = wanted;
    this.ask();
    if (this.shown.length !== before) this.map.say();
  }

  paint(draw, { x, y, width, height, strength }, thumb, colour) {
    draw.globalAlpha = strength;
    draw.fillStyle = this.paper;
    draw.fillRect(x, y, width, height);
    draw.drawImage(thumb, x, y, width, height);
    draw.lineWidth = EDGE;
    draw.strokeStyle = colour;
    draw.strokeRect(x, y, width, height);
    draw.globalAlpha = 1;
  }

  // The row of the picture at a place, the one on top; -1 for none.
  at(px, py) {
    for (let k = this.shown.length - 1; k >= 0; k--) {
      const { row, x, y, width, height } = this.shown[k];
      if (px >= x && px <= x + width && py >= y && py <= y + height) return row;
    }
    return -1;
  }

  // Asks for thumbnails that the last picture lacked, a few answers at a time: what has gone from view is not asked for.
  ask() {
    while (this.flying < FLYING) {
      const rows = (this.wanted || []).filter((row) => !this.asked.has(row) && !this.kept.has(row)).slice(0, BATCH);
      if (!rows.length) return;
      for (const row of rows) this.asked.add(row);
      this.flying++;
      this.fetch(rows, this.path).finally(() => {
        this.flying--;
        for (const row of rows) this.asked.delete(row);
        if (!this.map.dead) this.map.drawLines();
      });
    }
  }

  async fetch(rows, path) {
    let parts = rows.map(() => null);
    try {
      const answer = await fetch(`${path}?rows=${rows.join("-")}`, { headers: { "x-tamis-token": this.map.data.token } });
      if (answer.ok) parts = splitAnswer(await answer.arrayBuffer());
    } catch {
      return; // The server may be there again when the view changes.
    }
    const thumbs = await Promise.all(parts.map((part) => part && createImageBitmap(part).catch(() => null)));
    if (path !== this.path) return;
    rows.forEach((row, k) => this.kept.set(row, thumbs[k]));
    for (const [row, thumb] of this.kept) {
      if (this.kept.size <= KEPT) break;
      thumb?.close();
      this.kept.delete(row);
    }
  }

  forget() {
    for (const thumb of this.kept.values()) thumb?.close();
    this.kept.clear();
    this.path = this.map.data.pictures;
  }
}

// An answer as the server packs it: how many, their lengths (uint32, little-endian), their bytes.
function splitAnswer(bytes) {
  const view = new DataView(bytes);
  const n = view.getUint32(0, true);
  const found = [];
  for (let k = 0, at = 4 * (n + 1); k < n; k++) {
    const length = view.getUint32(4 * (k + 1), true);
    found.push(new Blob([new Uint8Array(bytes, at, length)], { type: "image/webp" }));
    at += length;
  }
  return found;
}
