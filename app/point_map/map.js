// The embedding map: WebGL2 points fetched once as bytes, drawn here, selected here; only polygons go back to Python.
// Every text is written with textContent.

const LEGEND = 208; // Pixels at the right that the whole map leaves free for the legend.
const NARROW = 640; // Pixels up to which the legend lies below the points.
const MOVING = 400_000; // Points drawn while the view moves; the rest follow when it rests.
const REST = 160; // Milliseconds without movement before everything is drawn.
const MANY = 4000; // Points up to which no density is shown, however close they lie.
const FEW = 1000; // Points below which each is drawn larger.
const ALWAYS = 4; // End of the dial of density: always, or never.
const SHORT = 340; // Least height of the map on a small screen.
const ABOVE = 130; // Pixels of the window for what stands above the map.
const SHEET = 0.56; // Share of a small window that the document covers, as the page's styles say.
const instances = new WeakMap();
// How the map was when it last went from the page: there it goes on. Dials are powers of two, 0 as usual.
const left = { map: "", tool: "pan", size: 0, density: 0, pictures: true };

// How much of the picture is density, 0 to 1, given the documents in view and those per pixel of the busiest places.
function densityOf(total, busy) {
  if (Math.abs(left.density) === ALWAYS) return Number(left.density > 0);
  const turned = 2 ** left.density;
  return Math.min(1, Math.max(0, (busy * turned - 0.5) / 1.5), Math.max(0, (total * turned) / MANY - 1));
}

export default function (component) {
  const root = component.parentElement.querySelector(".tamis-map");
  let map = instances.get(root);
  if (!map) {
    map = new PointMap(root, component);
    instances.set(root, map);
  }
  map.update(component);
  return () => map.dispose();
}

class PointMap {
  constructor(root, component) {
    this.root = root;
    this.gl_canvas = root.querySelector("canvas.gl");
    this.over = root.querySelector("canvas.over");
    this.tip = new Tip(this, root.querySelector(".tip"));
    this.status = root.querySelector(".status");
    this.view = { x: 0.5, y: 0.5, zoom: 1 };
    this.hidden = new Set();
    this.legend = new Legend(this, root.querySelector(".legend"));
    this.pictures = new Pictures(this);
    this.pictured = root.querySelector("[data-act=pictures]"); // Only where documents are pictures.
    this.unseen = { all: 0, selected: 0 };
    this.loaded = {};
    this.path = null;
    this.shapes = [];
    this.component = component;
    this.dead = false;
    this.narrow = false;
    this.painter = new Painter(this.gl_canvas);
    this.gl = this.painter.gl;
    this.hand = new Hand(this, this.gl_canvas);
    this.gl_canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.gl_canvas.addEventListener("webglcontextrestored", () => this.restore());
    this.tools = new Tools(this);
    for (const name of ["focus", "blur"]) root.addEventListener(name, () => this.drawLines());
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(root);
  }

  dispose() {
    // A rerun unmounts and mounts again; only a removed element ends the map.
    setTimeout(() => {
      if (this.root.isConnected) return;
      this.dead = true;
      this.observer.disconnect();
      this.gl?.getExtension("WEBGL_lose_context")?.loseContext();
    }, 500);
  }

  // The browser has lost and restored the graphics context.
  restore() {
    if (this.dead) return;
    this.painter.setUp();
    this.loaded = {};
    this.update(this.component);
  }

  async update(component) {
    this.component = component;
    const data = component.data;
    const fresh = !this.data;
    this.data = data;
    this.fit();
    if (!this.gl) {
      if (!data.failed) component.setStateValue("failed", "no WebGL2");
      this.root.dataset.failed = "yes";
      this.status.textContent = "This browser has no WebGL2: a sample is shown below, without selecting.";
      return;
    }
    if (fresh && left.map === data.map) {
      this.view = { ...left.view };
      this.hidden = left.hidden;
      this.column = left.column;
    } else if (fresh) this.view = { ...data.home };
    if (this.column !== data.legend.column) this.hidden.clear();
    this.column = data.legend.column;
    this.shapes = data.shapes || [];
    if (data.pictures) this.root.querySelector("[data-act=look]").before(this.pictured);
    else this.pictured.remove();
    this.resize(false);
    try {
      const parts = [["place", "points"], ["group", "groups"], ["flag", "flags"]];
      const changed = await Promise.all(parts.map(([name, key]) => this.load(name, key)));
      if (changed.some(Boolean)) this.painter.shade(this.group, this.flag);
    } catch (error) {
      this.status.textContent = String(error.message || error);
      return;
    }
    if (this.dead || data !== this.data) return;
    this.legend.show(data.legend, data.palette);
    this.paintPalette();
    this.countHidden();
    if (data.ring !== this.ring) this.reveal();
    this.ring = data.ring;
    this.draw();
    this.root.dataset.ready = data.flags;
  }

  // Returns whether something was loaded; bytes that arrive after a newer request are dropped.
  async load(name, key) {
    const path = this.data[key];
    if (this.loaded[name] === path) return false;
    const answer = await fetch(path, { headers: { "x-tamis-token": this.data.token } });
    if (!answer.ok) throw new Error((await answer.json()).error || `HTTP ${answer.status}`);
    const bytes = await answer.arrayBuffer();
    if (this.data[key] !== path) return false;
    const values = name === "place" ? new Uint16Array(bytes) : new Uint8Array(bytes);
    this.painter.store(name, values);
    if (name === "place") {
      this.place = values;
      this.n = values.length / 2;
      this.cells = new Cells(values);
      this.painter.storeCells(this.cells);
    } else this[name] = values;
    this.loaded[name] = path;
    return true;
  }

  // Geometry: map space is [0, 1] on both axes; the frame keeps the data's own aspect ratio.
  span() {
    const { low_x, high_x, low_y, high_y } = this.data.bounds;
    const wide = (high_x - low_x) / (high_y - low_y);
    const screen = this.room / this.height;
    return wide > screen ? { x: 1, y: wide / screen } : { x: screen / wide, y: 1 };
  }

  toScreen(x, y) {
    const span = this.span();
    return [
      ((x - this.view.x) / span.x * this.view.zoom * 0.94 + 0.5) * this.room,
      (0.5 - (y - this.view.y) / span.y * this.view.zoom * 0.94) * this.height,
    ];
  }

  toMap(px, py) {
    const span = this.span();
    return [
      (px / this.room - 0.5) * span.x / this.view.zoom / 0.94 + this.view.x,
      (0.5 - py / this.height) * span.y / this.view.zoom / 0.94 + this.view.y,
    ];
  }

  toData([x, y]) {
    const b = this.data.bounds;
    return [b.low_x + x * (b.high_x - b.low_x), b.low_y + y * (b.high_y - b.low_y)];
  }

  fromData([x, y]) {
    const b = this.data.bounds;
    return [(x - b.low_x) / (b.high_x - b.low_x), (y - b.low_y) / (b.high_y - b.low_y)];
  }

  // The height asked for; on a low or small screen so much that what stands above stays in view.
  fit() {
    const { height, failed } = this.data;
    const room = window.innerWidth <= NARROW ? 0.68 * window.innerHeight : window.innerHeight - ABOVE;
    this.root.style.height = `${failed ? height : Math.min(height, Math.max(SHORT, Math.round(room)))}px`;
  }

  resize(draw = true) {
    if (this.data) this.fit();
    const box = this.root.getBoundingClientRect();
    if (!box.width) return;
    const narrower = this.width && box.width < this.width;
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.width = box.width;
    this.height = box.height;
    this.room = box.width > NARROW ? box.width - LEGEND : box.width;
    if (this.root.toggleAttribute("data-narrow", box.width <= NARROW) !== this.narrow) {
      this.narrow = !this.narrow;
      this.legend.setFolded(this.narrow);
    }
    for (const canvas of [this.gl_canvas, this.over]) {
      const [w, h] = [Math.round(box.width * this.ratio), Math.round(box.height * this.ratio)];
      if (canvas.width !== w || canvas.height !== h) {
        canvas.width = w;
        canvas.height = h;
      }
    }
    if (narrower) this.reveal();
    if (draw) this.draw();
  }

  // moved: the view is still changing, so a part of the points is enough for now.
  draw(moved = false) {
    if (!this.gl || !this.cells || !this.width) return;
    clearTimeout(this.resting);
    this.moved = moved;
    this.pending ||= requestAnimationFrame(() => {
      this.pending = 0;
      this.drawPoints();
      if (this.step > 1) this.resting = setTimeout(() => this.draw(), REST);
      this.say();
      this.drawOver();
    });
  }

  // Draws areas and names only; the points stay as they are.
  drawLines() {
    if (this.pending || this.lining || !this.cells) return;
    this.lining = requestAnimationFrame(() => {
      this.lining = 0;
      this.drawOver();
    });
  }

  drawPoints() {
    const span = this.span();
    const zoom = 2 * this.view.zoom * 0.94;
    // Documents per screen pixel: on average, and in the densest cells of the view.
    const perPixel = ((span.x * span.y) / (this.room * this.height)) / (this.view.zoom * 0.94) ** 2;
    const seen = this.cells.seen(...this.frame());
    const step = this.moved ? Math.min(60, Math.max(1, Math.ceil(seen.total / MOVING))) : 1;
    const busy = seen.busiest * CELLS * CELLS * perPixel;
    const crowd = this.n / (this.room * this.height) / (this.view.zoom * this.view.zoom);
    const largest = 5 + 8 * Math.max(0, 1 - seen.total / FEW);
    const size = Math.min(largest, Math.max(1.5, 2.2 / Math.sqrt(crowd + 0.02))) * 2 ** left.size;
    this.density = densityOf(seen.total, busy);
    this.step = step;
    this.painter.paint({
      n: this.n, step, spans: this.cells.spans(...this.frame(this.width)), centre: [this.view.x, this.view.y],
      scale: [(zoom * this.room) / this.width / span.x, zoom / span.y], shift: 1 - this.room / this.width,
      overlay: this.data.overlay, some: this.data.selected, density: this.density, busy, size, ratio: this.ratio,
      alpha: Math.min(0.9, Math.max(0.1, 0.55 / Math.sqrt(crowd * size * size + 0.2))),
    });
  }

  // The visible part of the map, left of the legend or as wide as asked: low x, low y, high x, high y.
  frame(wide = this.room) {
    const [[x0, y1], [x1, y0]] = [this.toMap(0, 0), this.toMap(wide, this.height)];
    return [x0, y0, x1, y1];
  }

  drawOver() {
    const draw = this.over.getContext("2d");
    draw.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    draw.clearRect(0, 0, this.width, this.height);
    const style = getComputedStyle(this.root);
    const ink = style.color;
    const paper = style.backgroundColor;
    const accent = style.getPropertyValue("--st-primary-color") || "#0f766e";
    for (const shape of this.shapes) drawArea(this, draw, shape.map((corner) => this.fromData(corner)), accent, true);
    this.pictures.draw(draw, paper);
    if (this.path && this.path.length > 1) drawArea(this, draw, this.path, accent, false);
    drawRing(this, draw, ink, paper);
    this.root.dataset.labels = drawLabels(this, draw, ink, paper).length;
    if (this.root.matches(":focus-visible")) drawCross(this, draw, ink);
  }

  // Where the document that is read lies, in pixels; null without one or without a place.
  ringPlace() {
    const row = this.data?.ring ?? -1;
    const [x, y] = row < 0 || !this.place ? [0, 0] : [this.place[2 * row], this.place[2 * row + 1]];
    return x || y ? this.toScreen(x / 65535, y / 65535) : null;
  }

  // Moves the view no further than it takes to see the document that is read.
  reveal() {
    if (!this.ringPlace()) return;
    let end = this.height;
    if (window.innerWidth <= NARROW) {
      this.root.scrollIntoView({ block: "start" });
      end = Math.max(6 * RING, Math.min(end, (1 - SHEET) * window.innerHeight - this.root.getBoundingClientRect().top));
    }
    const at = this.ringPlace();
    const need = (value, end) => Math.max(0, 3 * RING - value) - Math.max(0, value - (end - 3 * RING));
    const [x, y] = [need(at[0], this.room), need(at[1], end)];
    if (x || y) this.shift([0, 0], [x, y]);
  }

  paintPalette() {
    const bytes = new Uint8Array(256 * 4);
    this.data.palette.forEach((hex, code) => {
      const number = parseInt(hex.slice(1), 16);
      // Points of no group stay in the background.
      const strength = this.hidden.has(code) ? 0 : code > 253 ? 120 : 255;
      bytes.set([number >> 16, (number >> 8) & 255, number & 255, strength], code * 4);
    });
    this.painter.storePalette(bytes);
  }

  // How many documents the legend hides, and how many of them are selected.
  countHidden() {
    this.unseen = { all: 0, selected: 0 };
    if (!this.hidden.size) return;
    const hides = Uint8Array.from({ length: 256 }, (_, code) => Number(this.hidden.has(code)));
    for (const row of this.cells.rows) {
      if (!hides[this.group[row]]) continue;
      this.unseen.all++;
      if (this.flag[row] & 2) this.unseen.selected++;
    }
  }

  // The legend hides or shows other groups.
  legendChanged() {
    this.paintPalette();
    this.countHidden();
    this.draw();
  }

  // What is drawn, and how: "density of 1 000 000 documents, exact".
  say() {
    const words = (number) => Math.round(number).toLocaleString("en").replaceAll(",", "\u202f");
    const { all, selected } = this.unseen;
    const whole = words(this.data.placed - all);
    const drawn = this.step > 1
      ? `Moving: every ${this.step}th of ${whole} documents`
      : this.density > 0.5 ? `Density of ${whole} documents, exact; zoom in for points`
        : all ? `${whole} points drawn` : `${whole} points, all drawn`;
    const pictured = this.pictures.shown.length ? `${words(this.pictures.shown.length)} of them as pictures` : "";
    const hidden = all ? `${words(all)} hidden by the legend` : "";
    const status = selected ? `${this.data.status}, ${words(selected)} of them hidden` : this.data.status;
    Object.assign(left, { map: this.data.map, view: { ...this.view }, hidden: this.hidden, column: this.column });
    const text = [drawn, pictured, hidden, status].filter(Boolean).join(" · ");
    if (this.status.textContent !== text) this.status.textContent = text;
    this.root.dataset.view = [this.view.x, this.view.y, this.view.zoom].map((part) => part.toFixed(4)).join(" ");
    this.root.dataset.drawn = this.step > 1 ? "part" : this.density > 0.5 ? "density" : "points";
  }

  // Moves what lies at one place of the screen to another.
  shift(before, now) {
    const [a, b] = [this.toMap(...before), this.toMap(...now)];
    this.view.x += a[0] - b[0];
    this.view.y += a[1] - b[1];
    this.draw(true);
  }

  select(path, shift) {
    const polygon = path.map((corner) => this.toData(corner));
    // Groups that the legend hides are not selected.
    const { map, legend } = this.data;
    const hidden = [...this.hidden];
    this.component.setTriggerValue("lasso", { polygon, add: shift || this.tools.adding, map, column: legend.column, hidden });
    this.status.textContent = "Selecting …";
  }

  // Selects everything in view, for use without a pointer.
  selectSeen(shift) {
    const [x0, y0, x1, y1] = this.frame();
    this.select([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], shift);
  }

  open(px, py) {
    const row = this.nearest(px, py);
    if (row >= 0) this.component.setTriggerValue("picked", row);
  }

  clear() {
    // The innermost thing first: a drawing, the document that is read, the selection.
    const drawing = Boolean(this.path);
    this.path = null;
    if (drawing) this.drawLines();
    else if (this.data.ring >= 0) this.component.setTriggerValue("picked", -1);
    if (drawing || this.data.ring >= 0) return;
    this.tools.choose("pan");
    if (this.data.selected) this.component.setTriggerValue("cleared", Date.now());
    this.drawLines();
  }

  home() {
    this.view = { ...this.data.home };
    this.draw();
  }

  zoomAt(px, py, factor) {
    const before = this.toMap(px, py);
    this.view.zoom = Math.min(400, Math.max(0.5, this.view.zoom * factor));
    const after = this.toMap(px, py);
    this.view.x += before[0] - after[0];
    this.view.y += before[1] - after[1];
    this.tip.hide();
    this.draw(true);
  }

  nearest(px, py, reach = 7) {
    if (!this.cells) return -1;
    const pictured = this.pictures.at(px, py);
    if (pictured >= 0) return pictured;
    const [[x0, y1], [x1, y0]] = [this.toMap(px - reach, py - reach), this.toMap(px + reach, py + reach)];
    return this.cells.nearest([x0, y0, x1, y1], reach * reach, (row, x, y) => {
      if (this.hidden.has(this.group[row])) return Infinity;
      const [sx, sy] = this.toScreen(x / 65535, y / 65535);
      return (sx - px) ** 2 + (sy - py) ** 2;
    });
  }
}
