// A run of training from left to right: stacked shares, a lane of what comes again, a boundary to drag, a step to read.
// Every text is written with textContent.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 270;
const LANE = 20; // Pixels of the lane of later copies and epochs.
const BETWEEN = 10;
const THICK = 0.075; // Share of the height from which a group is named inside its area.
const REST = 500; // Milliseconds the pointer rests on a step until its documents are read.
const PATIENCE = 1500; // Milliseconds until the next value is sent although the page has not answered.
const pictures = new WeakMap();
let made = 0;

export default function (component) {
  const root = component.parentElement.querySelector(".tamis-run");
  let picture = pictures.get(root);
  if (!picture) {
    picture = new RunPicture(root);
    pictures.set(root, picture);
  }
  picture.update(component);
}

class RunPicture {
  constructor(root) {
    this.root = root;
    this.id = `run${made++}`;
    this.plot = root.appendChild(html("div", "plot"));
    this.svg = this.plot.appendChild(svg("svg", { role: "img" }));
    this.surface = this.plot.appendChild(html("div", "surface"));
    this.line = this.plot.appendChild(html("div", "hover"));
    this.line.hidden = true;
    this.boundary = this.handle("boundary", "↔");
    this.reading = this.handle("reading", "▲");
    this.legend = root.appendChild(html("ul", "legend"));
    this.tip = root.appendChild(html("div", "tip"));
    this.tip.hidden = true;
    this.sent = {};
    this.surface.addEventListener("pointermove", (event) => this.hovered(event));
    this.surface.addEventListener("pointerleave", () => this.unhover());
    this.surface.addEventListener("click", (event) => this.read(this.stepAt(this.share(event)), true));
    this.drags(this.boundary, (at) => this.moved(at), () => this.moved(this.held, true));
    this.drags(this.reading, (at) => this.read(this.stepAt(at)), () => this.read(this.step, true));
    this.boundary.addEventListener("keydown", (event) => this.boundaryKey(event));
    this.reading.addEventListener("keydown", (event) => this.readingKey(event));
    new ResizeObserver(() => this.data && this.draw()).observe(this.plot);
  }

  handle(kind, mark) {
    const button = this.plot.appendChild(html("button", `handle ${kind}`));
    button.type = "button";
    button.setAttribute("role", "slider");
    const grip = button.appendChild(html("span", "grip"));
    grip.textContent = mark;
    grip.setAttribute("aria-hidden", "true");
    button.appendChild(html("span", "said"));
    return button;
  }

  update(component) {
    this.component = component;
    this.data = component.data;
    for (const name of ["boundary", "read"]) {
      const told = this.sent[name];
      const now = name === "boundary" ? this.data.boundary?.value : this.data.step;
      if (told && (told.value === now || Date.now() - told.when > PATIENCE)) {
        delete this.sent[name];
        if (told.next !== undefined && told.next !== told.value) this.send(name, told.next);
      }
    }
    if (!this.dragging) {
      this.held = null;
      this.step = this.data.step;
    }
    this.draw();
  }

  // A value that changes while the page is still at work on the one before is sent when it has answered.
  send(name, value) {
    const told = this.sent[name];
    if (told && Date.now() - told.when < PATIENCE) {
      told.next = value;
      setTimeout(() => this.sent[name] === told && this.flush(name), PATIENCE);
      return;
    }
    this.sent[name] = { value, when: Date.now() };
    this.component.setTriggerValue(name, value);
  }

  flush(name) {
    const told = this.sent[name];
    delete this.sent[name];
    if (told.next !== undefined) this.send(name, told.next);
  }

  drags(button, move, end) {
    button.addEventListener("pointerdown", (event) => {
      button.setPointerCapture(event.pointerId);
      button.focus();
      this.dragging = button;
      event.preventDefault();
    });
    button.addEventListener("pointermove", (event) => this.dragging === button && move(this.share(event)));
    for (const name of ["pointerup", "pointercancel"]) {
      button.addEventListener(name, () => {
        if (this.dragging !== button) return;
        this.dragging = null;
        end();
      });
    }
  }

  // The progress under the pointer, 0 to 1.
  share(event) {
    const box = this.plot.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  }

  stepAt(at) {
    return Math.min(this.data.steps - 1, Math.floor(at * this.data.steps));
  }

  partAt(at) {
    return Math.min(this.data.shares.length - 1, Math.floor(at * this.data.shares.length));
  }

  // The value of the boundary at a progress: the share of the documents that are read by then.
  valueAt(at) {
    const { shares, last, field } = this.data.boundary;
    const place = at * (shares.length - 1);
    const low = Math.floor(place);
    const high = Math.min(low + 1, shares.length - 1);
    const read = shares[low] + (shares[high] - shares[low]) * (place - low);
    if (field === "slices") return Math.min(1000, Math.max(2, Math.round(1 / Math.max(read, 1e-4))));
    return this.inside(last ? 1 - read : read);
  }

  inside(value) {
    return Math.min(0.999, Math.max(0.001, Math.round(value * 1000) / 1000));
  }

  moved(at, done) {
    if (at === null || at === undefined) return;
    this.held = at;
    this.trial = this.valueAt(at);
    this.send("boundary", this.trial);
    if (done) this.held = null;
    this.place();
  }

  boundaryKey(event) {
    const { value, field, last } = this.data.boundary;
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const from = this.sent.boundary?.next ?? this.sent.boundary?.value ?? value;
    // To the right is always later; from the end on, later means a smaller share, and more slices make the first shorter.
    const turned = event.key.startsWith("Page") ? by : last || field === "slices" ? -by : by;
    this.send("boundary", field === "slices" ? Math.min(1000, Math.max(2, from + turned)) : this.inside(from + turned / 100));
  }

  read(step, done) {
    if (step === undefined || step === null) return;
    this.step = step;
    this.place();
    if (done) this.send("read", step);
  }

  readingKey(event) {
    const { steps } = this.data;
    const page = Math.max(1, Math.round(steps / 20));
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: page, PageDown: -page };
    const to = event.key === "Home" ? 0 : event.key === "End" ? steps - 1 : this.step + by[event.key];
    if (Number.isNaN(to)) return;
    event.preventDefault();
    this.read(Math.min(steps - 1, Math.max(0, to)), true);
  }

  hovered(event) {
    if (this.dragging) return;
    const { data } = this;
    const at = this.share(event);
    const part = this.partAt(at);
    const step = this.stepAt(at);
    this.line.hidden = this.tip.hidden = false;
    this.line.style.left = `${at * 100}%`;
    const rows = data.labels.map((label, place) => [label, data.shares[part][place]]);
    const shown = rows.filter(([, share]) => share > 0).sort((a, b) => b[1] - a[1]);
    const head = html("b");
    head.textContent = `${data.unit} ${number(step + 1)} of ${number(data.steps)}`;
    const lines = shown.map(([label, share]) => pair(label, percent(share)));
    if (data.again.some((share) => share > 0)) lines.push(pair("read before", percent(data.again[part])));
    const hint = html("div");
    hint.appendChild(html("span")).textContent = "Rest or click: its documents";
    this.tip.replaceChildren(head, ...lines, hint);
    const box = this.root.getBoundingClientRect();
    const x = event.clientX - box.left;
    const width = this.tip.offsetWidth;
    this.tip.style.left = `${x + 14 + width > box.width ? Math.max(0, x - width - 14) : x + 14}px`;
    this.tip.style.top = "40px";
    clearTimeout(this.rest);
    if (event.pointerType === "mouse") this.rest = setTimeout(() => this.read(step, true), REST);
  }

  unhover() {
    clearTimeout(this.rest);
    this.line.hidden = this.tip.hidden = true;
  }

  draw() {
    const { data } = this;
    const width = this.plot.clientWidth;
    if (!width) return;
    const lanes = data.again.some((share) => share > 0) || data.epochs.length > 1;
    const height = HEIGHT + (lanes ? BETWEEN + LANE : 0);
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", height);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("aria-label", data.label);
    this.surface.style.height = `${height}px`;
    const parts = [this.patterns(), ...this.areas(width), ...this.axes(width, height)];
    if (lanes) parts.push(...this.lane(width));
    this.svg.replaceChildren(...parts);
    this.drawLegend();
    this.place();
  }

  patterns() {
    const defs = svg("defs");
    this.data.colours.forEach((colour, place) => defs.appendChild(pattern(`${this.id}-${place}`, colour, place % 5)));
    defs.appendChild(pattern(`${this.id}-again`, "none", 1, "currentColor", 0.75));
    return defs;
  }

  areas(width) {
    const { shares, labels } = this.data;
    const n = shares.length;
    const below = new Array(n).fill(0);
    const drawn = [];
    const names = [];
    labels.forEach((label, place) => {
      const low = below.slice();
      shares.forEach((row, part) => (below[part] += row[place]));
      const y = (value) => (1 - value) * HEIGHT;
      const top = below.map((value, part) => `${(part / n) * width},${y(value)} ${((part + 1) / n) * width},${y(value)}`);
      const under = low.map((value, part) => `${((part + 1) / n) * width},${y(value)} ${(part / n) * width},${y(value)}`);
      drawn.push(svg("polygon", { points: `${top.join(" ")} ${under.reverse().join(" ")}`, fill: `url(#${this.id}-${place})` }));
      drawn.push(svg("polyline", { points: top.join(" "), class: "gap" }));
      const name = this.named(label, low, below, width);
      if (name) names.push(name);
    });
    return [...drawn, ...names];
  }

  // The name of a group where its area is thickest over the length of the name.
  named(label, low, high, width) {
    const n = low.length;
    const long = Math.min(label.length, 26) * 7 + 12;
    const span = Math.ceil((long / width) * n);
    let best = null;
    for (let first = 1; first + span < n; first++) {
      const floor = Math.max(...low.slice(first, first + span));
      const room = Math.min(...high.slice(first, first + span)) - floor;
      if (room > THICK && (!best || room > best.room)) best = { room, first, floor };
    }
    if (!best) return null;
    const at = { x: ((best.first + span / 2) / n) * width, y: (1 - best.floor - best.room / 2) * HEIGHT + 4, class: "name" };
    const text = svg("text", { ...at, "text-anchor": "middle" });
    text.textContent = label.length > 26 ? `${label.slice(0, 25)}…` : label;
    return text;
  }

  axes(width, height) {
    const { steps } = this.data;
    const drawn = [svg("rect", { x: 0, y: 0, width, height: HEIGHT, class: "frame" })];
    for (const share of [0, 0.5, 1]) {
      const text = svg("text", { x: -7, y: (1 - share) * HEIGHT + 4, "text-anchor": "end", class: "quiet" });
      text.textContent = `${share * 100}%`;
      drawn.push(text);
    }
    const ticks = width > 600 ? [0, 0.25, 0.5, 0.75, 1] : [0, 1];
    for (const share of ticks) {
      const anchor = share === 0 ? "start" : share === 1 ? "end" : "middle";
      const text = svg("text", { x: share * width, y: height + 17, "text-anchor": anchor, class: "quiet" });
      text.textContent = number(Math.max(1, Math.round(share * steps)));
      drawn.push(text);
    }
    return drawn;
  }

  lane(width) {
    const { again, epochs } = this.data;
    const n = again.length;
    const top = HEIGHT + BETWEEN;
    const drawn = [svg("rect", { x: 0, y: top, width, height: LANE, class: "lane" })];
    const corners = again.map((share, part) => {
      const y = top + (1 - share) * LANE;
      return `${(part / n) * width},${y} ${((part + 1) / n) * width},${y}`;
    });
    const points = `0,${top + LANE} ${corners.join(" ")} ${width},${top + LANE}`;
    drawn.push(svg("polygon", { points, fill: `url(#${this.id}-again)` }));
    for (const { first, name } of epochs) {
      const x = (first / n) * width;
      if (first > 0) drawn.push(svg("line", { x1: x, x2: x, y1: 0, y2: top + LANE, class: "seam" }));
      const text = svg("text", { x: x + (first > 0 ? 5 : 16), y: top + 14, class: "band" });
      text.textContent = name;
      if (epochs.length > 1) drawn.push(text);
    }
    return drawn;
  }

  drawLegend() {
    const { labels, totals, again } = this.data;
    const entries = labels.map((label, place) => this.entry(label, percent(totals[place]), `${this.id}-${place}`));
    if (again.some((share) => share > 0)) {
      entries.push(this.entry("read before: later copies and epochs", percent(this.data.repeated), `${this.id}-again`));
    }
    this.legend.replaceChildren(...entries);
  }

  entry(label, value, fill) {
    const item = html("li");
    const swatch = item.appendChild(svg("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" }));
    swatch.appendChild(svg("rect", { width: 14, height: 14, fill: `url(#${fill})` }));
    const name = item.appendChild(html("span"));
    name.textContent = label;
    name.title = label;
    item.appendChild(html("em")).textContent = value;
    return item;
  }

  // Put both handles where they belong now, and say their values.
  place() {
    const { boundary, steps, unit } = this.data;
    this.boundary.hidden = !boundary;
    if (boundary) {
      const moving = this.held !== null && this.held !== undefined;
      const value = moving ? this.trial : boundary.value;
      const said = boundary.field === "slices" ? `${value} slices` : `${boundary.name} ${percent(value)}`;
      this.stand(this.boundary, moving ? this.held : boundary.at, said);
      const ends = boundary.field === "slices" ? [2, 1000] : [0.001, 0.999];
      this.say(this.boundary, `Boundary of the curriculum: ${boundary.name}`, value, ...ends, said);
    }
    const step = Math.min(this.step ?? 0, steps - 1);
    const said = `${unit} ${number(step + 1)}`;
    this.stand(this.reading, (step + 0.5) / steps, said);
    this.say(this.reading, `${unit} that is read below`, step + 1, 1, steps, said);
    this.reading.hidden = steps < 1;
  }

  stand(button, at, said) {
    button.style.left = `${at * 100}%`;
    button.querySelector(".said").textContent = said;
    const room = this.plot.clientWidth;
    button.classList.toggle("left", at * room < 60);
    button.classList.toggle("right", (1 - at) * room < 60);
  }

  say(button, label, now, low, high, text) {
    button.setAttribute("aria-label", label);
    button.setAttribute("aria-valuenow", now);
    button.setAttribute("aria-valuemin", low);
    button.setAttribute("aria-valuemax", high);
    button.setAttribute("aria-valuetext", text);
  }
}

function pattern(id, colour, kind, stroke = "rgba(20, 23, 26, 0.34)", width = 1) {
  const found = svg("pattern", { id, width: 8, height: 8, patternUnits: "userSpaceOnUse" });
  found.appendChild(svg("rect", { width: 8, height: 8, fill: colour }));
  const line = (path) => found.appendChild(svg("path", { d: path, stroke, "stroke-width": width, fill: "none" }));
  if (kind === 1) line("M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4");
  if (kind === 2) found.appendChild(svg("circle", { cx: 4, cy: 4, r: 1.2, fill: stroke }));
  if (kind === 3) line("M10,2 l-4,-4 M8,8 l-8,-8 M2,10 l-4,-4");
  if (kind === 4) line("M0,4 l8,0");
  return found;
}

function pair(label, value) {
  const line = html("div");
  line.appendChild(html("span")).textContent = label;
  line.appendChild(html("b")).textContent = value;
  return line;
}

function percent(share) {
  const value = share * 100;
  return value > 0 && value < 0.1 ? "<0.1%" : `${value.toFixed(value < 10 ? 1 : 0)}%`;
}

function number(value) {
  return value.toLocaleString("en").replaceAll(",", "\u202f");
}

function html(tag, name = "") {
  const found = document.createElement(tag);
  if (name) found.className = name;
  return found;
}

function svg(tag, attributes = {}) {
  const found = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  return found;
}
