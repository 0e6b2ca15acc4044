// The embedding map: WebGL2 points fetched once as bytes, drawn here, selected here; only polygons go back to Python.
// Every text is written with textContent.

const VERTEX = `#version 300 es
in vec2 place; in float group; in float flag;
uniform vec2 centre; uniform vec2 scale; uniform float shift; uniform float size; uniform float alpha;
uniform sampler2D palette; uniform float overlay; uniform float some;
out vec4 colour;
void main() {
  vec4 base = texelFetch(palette, ivec2(int(group), 0), 0);
  bool kept = mod(flag, 2.0) > 0.5;
  bool chosen = flag > 1.5;
  float strength = alpha;
  if (overlay > 0.5 && !kept) strength *= 0.16;
  if (some > 0.5 && !chosen) strength *= 0.22;
  colour = vec4(base.rgb, base.a * strength);
  gl_Position = base.a < 0.01 ? vec4(2.0, 2.0, 0.0, 1.0) : vec4((place - centre) * scale - vec2(shift, 0.0), 0.0, 1.0);
  gl_PointSize = some > 0.5 && chosen ? size * 1.35 : size;
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 colour; out vec4 result;
void main() {
  float edge = smoothstep(0.5, 0.36, distance(gl_PointCoord, vec2(0.5)));
  result = vec4(colour.rgb, 1.0) * (colour.a * edge);
}`;

const CELLS = 512;
const LEGEND = 208; // Pixels at the right that the whole map leaves free for the legend.
const instances = new WeakMap();

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
    this.tip = root.querySelector(".tip");
    this.status = root.querySelector(".status");
    this.legend = root.querySelector(".legend");
    this.view = { x: 0.5, y: 0.5, zoom: 1 };
    this.tool = "pan";
    this.hidden = new Set();
    this.loaded = {};
    this.path = null;
    this.shapes = [];
    this.pointers = new Map();
    this.component = component;
    this.dead = false;
    this.gl = this.gl_canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true, preserveDrawingBuffer: true });
    if (this.gl) this.setUp();
    this.listen();
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(root);
  }

  dispose() {
    // A rerun unmounts and mounts again; only a removed element is really over.
    setTimeout(() => {
      if (this.root.isConnected) return;
      this.dead = true;
      this.observer.disconnect();
      this.gl?.getExtension("WEBGL_lose_context")?.loseContext();
    }, 500);
  }

  setUp() {
    const gl = this.gl;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    ["place", "group", "flag"].forEach((name, k) => gl.bindAttribLocation(program, k, name));
    gl.linkProgram(program);
    gl.useProgram(program);
    this.uniform = Object.fromEntries(
      ["centre", "scale", "shift", "size", "alpha", "palette", "overlay", "some"].map((name) => [name, gl.getUniformLocation(program, name)]),
    );
    this.buffers = { place: gl.createBuffer(), group: gl.createBuffer(), flag: gl.createBuffer() };
    this.texture = gl.createTexture();
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  async update(component) {
    this.component = component;
    const data = component.data;
    const fresh = !this.data;
    this.data = data;
    this.root.style.height = `${data.height}px`;
    if (!this.gl) {
      if (!this.told) component.setTriggerValue("failed", "no WebGL2");
      this.told = true;
      this.status.textContent = "This browser has no WebGL2.";
      return;
    }
    if (fresh) this.view = { ...data.home };
    if (this.column !== data.legend.column) this.hidden.clear();
    this.column = data.legend.column;
    this.shapes = data.shapes || [];
    this.resize(false);
    try {
      await Promise.all([this.load("place", data.points), this.load("group", data.groups), this.load("flag", data.flags)]);
    } catch (error) {
      this.status.textContent = String(error.message || error);
      return;
    }
    if (this.dead || data !== this.data) return;
    this.paintLegend();
    this.paintPalette();
    this.say();
    this.draw();
    this.root.dataset.ready = data.flags;
  }

  async load(name, path) {
    if (this.loaded[name] === path) return;
    const answer = await fetch(path, { headers: { "x-tamis-token": this.data.token } });
    if (!answer.ok) throw new Error((await answer.json()).error || `HTTP ${answer.status}`);
    const bytes = await answer.arrayBuffer();
    const gl = this.gl;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
    gl.bufferData(gl.ARRAY_BUFFER, bytes, gl.STATIC_DRAW);
    const slot = { place: 0, group: 1, flag: 2 }[name];
    gl.enableVertexAttribArray(slot);
    if (name === "place") {
      gl.vertexAttribPointer(slot, 2, gl.UNSIGNED_SHORT, true, 0, 0);
      this.points = new Uint16Array(bytes);
      this.n = this.points.length / 2;
      this.grid = null;
    } else {
      gl.vertexAttribPointer(slot, 1, gl.UNSIGNED_BYTE, false, 0, 0);
      this[name] = new Uint8Array(bytes);
    }
    this.loaded[name] = path;
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

  resize(draw = true) {
    const box = this.root.getBoundingClientRect();
    if (!box.width) return;
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.width = box.width;
    this.height = box.height;
    this.room = box.width > 640 ? box.width - LEGEND : box.width;
    for (const canvas of [this.gl_canvas, this.over]) {
      const [w, h] = [Math.round(box.width * this.ratio), Math.round(box.height * this.ratio)];
      if (canvas.width !== w || canvas.height !== h) {
        canvas.width = w;
        canvas.height = h;
      }
    }
    if (draw) this.draw();
  }

  draw() {
    if (this.pending || !this.gl || !this.points || !this.width) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      this.drawPoints();
      this.drawOver();
    });
  }

  drawPoints() {
    const gl = this.gl;
    const span = this.span();
    gl.viewport(0, 0, this.gl_canvas.width, this.gl_canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    // Points shrink and thin out as there are more of them per pixel, so density shows before single points do.
    const crowd = this.n / (this.room * this.height) / (this.view.zoom * this.view.zoom);
    const size = Math.min(7, Math.max(1.5, 2.2 / Math.sqrt(crowd + 0.03)));
    const alpha = Math.min(0.9, Math.max(0.1, 0.55 / Math.sqrt(crowd * size * size + 0.2)));
    gl.uniform2f(this.uniform.centre, this.view.x, this.view.y);
    const zoom = 2 * this.view.zoom * 0.94;
    gl.uniform2f(this.uniform.scale, (zoom * this.room) / this.width / span.x, zoom / span.y);
    gl.uniform1f(this.uniform.shift, 1 - this.room / this.width);
    gl.uniform1f(this.uniform.size, size * this.ratio);
    gl.uniform1f(this.uniform.alpha, alpha);
    gl.uniform1f(this.uniform.overlay, this.data.overlay ? 1 : 0);
    gl.uniform1f(this.uniform.some, this.data.selected ? 1 : 0);
    gl.drawArrays(gl.POINTS, 0, this.n);
  }

  drawOver() {
    const draw = this.over.getContext("2d");
    draw.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    draw.clearRect(0, 0, this.width, this.height);
    const style = getComputedStyle(this.root);
    const ink = style.color;
    const paper = style.backgroundColor;
    const accent = style.getPropertyValue("--st-primary-color") || "#0f766e";
    for (const shape of this.shapes) this.trace(draw, shape.map((corner) => this.fromData(corner)), accent, true);
    if (this.path && this.path.length > 1) this.trace(draw, this.path, accent, false);
    this.drawLabels(draw, ink, paper);
  }

  trace(draw, corners, accent, closed) {
    draw.beginPath();
    corners.forEach(([x, y], k) => draw[k ? "lineTo" : "moveTo"](...this.toScreen(x, y)));
    if (closed || this.tool === "box") draw.closePath();
    draw.lineWidth = 1.6;
    draw.strokeStyle = accent;
    draw.setLineDash(closed ? [] : [5, 4]);
    draw.stroke();
    draw.setLineDash([]);
    draw.globalAlpha = 0.08;
    draw.fillStyle = accent;
    draw.fill();
    draw.globalAlpha = 1;
  }

  // Labels that fit, the more important ones first; two levels, as near as the first view allows.
  placedLabels(draw) {
    const taken = [];
    const found = [];
    const near = this.view.zoom >= 2.2 * Math.max(1, this.data.home.zoom / 1.3);
    const family = getComputedStyle(this.root).fontFamily;
    for (const label of this.data.labels) {
      if (label.level === 0 ? near : !near) continue;
      const [x, y] = this.toScreen(...this.fromData([label.x, label.y]));
      const points = label.level === 0 ? 13 : 12;
      const font = `600 ${points}px ${family}`;
      draw.font = font;
      const text = label.text.length > 34 ? `${label.text.slice(0, 33)}…` : label.text;
      const half = draw.measureText(text).width / 2;
      const box = [x - half - 4, y - points, x + half + 4, y + points];
      if (box[0] < 0 || box[1] < 0 || box[2] > this.width || box[3] > this.height) continue;
      if (taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
      taken.push(box);
      found.push({ text, x, y, points, font });
    }
    return found;
  }

  drawLabels(draw, ink, paper) {
    draw.textAlign = "center";
    draw.textBaseline = "middle";
    draw.lineJoin = "round";
    for (const { text, x, y, font } of this.placedLabels(draw)) {
      draw.font = font;
      draw.lineWidth = 4;
      draw.strokeStyle = paper;
      draw.strokeText(text, x, y);
      draw.fillStyle = ink;
      draw.fillText(text, x, y);
    }
  }

  paintPalette() {
    const gl = this.gl;
    const bytes = new Uint8Array(256 * 4);
    this.data.palette.forEach((hex, code) => {
      const number = parseInt(hex.slice(1), 16);
      // Points of no group stay in the background.
      const strength = this.hidden.has(code) ? 0 : code > 253 ? 120 : 255;
      bytes.set([number >> 16, (number >> 8) & 255, number & 255, strength], code * 4);
    });
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  }

  paintLegend() {
    const { title, items, more } = this.data.legend;
    this.legend.replaceChildren();
    const head = document.createElement("div");
    head.className = "title";
    head.textContent = title;
    this.legend.append(head);
    for (const item of items) {
      const row = document.createElement("button");
      row.type = "button";
      row.title = `${item.label}: click to hide or show`;
      row.setAttribute("aria-pressed", String(!item.codes.some((code) => this.hidden.has(code))));
      const dot = document.createElement("i");
      dot.style.background = this.data.palette[item.codes[0]];
      const label = document.createElement("span");
      label.className = "label";
      label.textContent = item.label;
      const n = document.createElement("span");
      n.className = "n";
      n.textContent = item.n;
      row.append(dot, label, n);
      row.onclick = () => {
        for (const code of item.codes) this.hidden.has(code) ? this.hidden.delete(code) : this.hidden.add(code);
        row.setAttribute("aria-pressed", String(!this.hidden.has(item.codes[0])));
        this.paintPalette();
        this.draw();
      };
      this.legend.append(row);
    }
    if (more) {
      const rest = document.createElement("div");
      rest.textContent = more;
      rest.style.opacity = "0.65";
      this.legend.append(rest);
    }
  }

  say() {
    this.status.textContent = this.data.status;
  }

  // Interaction.
  listen() {
    const pad = this.gl_canvas;
    pad.addEventListener("pointerdown", (event) => this.down(event));
    pad.addEventListener("pointermove", (event) => this.move(event));
    pad.addEventListener("pointerup", (event) => this.up(event));
    pad.addEventListener("pointercancel", (event) => this.up(event));
    pad.addEventListener("pointerleave", () => this.hideTip());
    pad.addEventListener("dblclick", () => this.home());
    pad.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomAt(...this.at(event), Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)));
    }, { passive: false });
    this.root.addEventListener("keydown", (event) => this.key(event));
    for (const button of this.root.querySelectorAll(".tools button")) {
      button.onclick = () => this.act(button.dataset.act);
    }
    this.setTool("pan");
  }

  at(event) {
    const box = this.gl_canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  down(event) {
    this.root.focus({ preventScroll: true });
    this.gl_canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.at(event));
    this.start = this.at(event);
    this.far = 0;
    this.hideTip();
    if (this.pointers.size > 1) this.path = null;
    else if (this.tool !== "pan") this.path = [this.toMap(...this.start)];
  }

  move(event) {
    const now = this.at(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      this.hover(now);
      return;
    }
    this.far = Math.max(this.far, Math.hypot(now[0] - this.start[0], now[1] - this.start[1]));
    if (this.pointers.size === 2) {
      const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const was = Math.hypot(before[0] - other[0], before[1] - other[1]);
      const is = Math.hypot(now[0] - other[0], now[1] - other[1]);
      this.zoomAt((now[0] + other[0]) / 2, (now[1] + other[1]) / 2, is / Math.max(was, 1));
    } else if (this.path) {
      if (this.tool === "box") {
        const [a, b] = [this.toMap(...this.start), this.toMap(...now)];
        this.path = [a, [b[0], a[1]], b, [a[0], b[1]]];
      } else if (Math.hypot(now[0] - before[0], now[1] - before[1]) > 2) this.path.push(this.toMap(...now));
      this.draw();
    } else {
      const [a, b] = [this.toMap(...before), this.toMap(...now)];
      this.view.x += a[0] - b[0];
      this.view.y += a[1] - b[1];
      this.draw();
    }
    this.pointers.set(event.pointerId, now);
  }

  up(event) {
    const now = this.at(event);
    const moved = this.far > 4;
    this.pointers.delete(event.pointerId);
    if (event.type === "pointercancel") this.path = null;
    if (this.path && this.path.length > 2 && moved) {
      const polygon = this.path.map((corner) => this.toData(corner));
      this.component.setTriggerValue("lasso", { polygon, add: event.shiftKey, map: this.data.map });
      this.status.textContent = "Selecting …";
    } else if (!moved && event.type === "pointerup") {
      const row = this.nearest(...now);
      if (row >= 0) this.component.setTriggerValue("picked", row);
    }
    this.path = null;
    this.draw();
  }

  key(event) {
    const acts = { l: "lasso", b: "box", p: "pan", v: "pan", 0: "home", h: "home", "+": "in", "=": "in", "-": "out" };
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      this.path = null;
      this.setTool("pan");
      if (this.data.selected) this.component.setTriggerValue("cleared", Date.now());
      this.draw();
    } else if (moves[event.key]) {
      const [x, y] = moves[event.key];
      this.view.x += (0.08 * x) / this.view.zoom;
      this.view.y += (0.08 * y) / this.view.zoom;
      this.draw();
    } else if (acts[event.key]) this.act(acts[event.key]);
    else return;
    event.preventDefault();
  }

  act(name) {
    if (name === "home") this.home();
    else if (name === "in") this.zoomAt(this.room / 2, this.height / 2, 1.5);
    else if (name === "out") this.zoomAt(this.room / 2, this.height / 2, 1 / 1.5);
    else if (name === "png") this.save();
    else if (name === "svg") this.saveSvg();
    else this.setTool(name);
  }

  setTool(name) {
    this.tool = name;
    this.root.dataset.tool = name;
    for (const button of this.root.querySelectorAll(".tools button[aria-pressed]")) {
      button.setAttribute("aria-pressed", String(button.dataset.act === name));
    }
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
    this.hideTip();
    this.draw();
  }

  sheet(layers) {
    const sheet = document.createElement("canvas");
    sheet.width = this.over.width;
    sheet.height = this.over.height;
    const draw = sheet.getContext("2d");
    draw.fillStyle = getComputedStyle(this.root).backgroundColor;
    draw.fillRect(0, 0, sheet.width, sheet.height);
    this.drawPoints();
    for (const layer of layers) draw.drawImage(layer, 0, 0);
    return sheet.toDataURL("image/png");
  }

  download(name, href) {
    const link = document.createElement("a");
    link.download = name;
    link.href = href;
    link.click();
  }

  save() {
    this.download("tamis-map.png", this.sheet([this.gl_canvas, this.over]));
  }

  // The points as a picture, labels and legend as text that other programs can edit.
  saveSvg() {
    const space = "http://www.w3.org/2000/svg";
    const style = getComputedStyle(this.root);
    const add = (parent, name, values, text) => {
      const made = document.createElementNS(space, name);
      for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
      if (text !== undefined) made.textContent = text;
      parent.append(made);
      return made;
    };
    const size = { width: this.width, height: this.height };
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    add(svg, "image", { ...size, href: this.sheet([this.gl_canvas]) });
    const words = add(svg, "g", { "font-family": style.fontFamily, fill: style.color });
    const outline = { stroke: style.backgroundColor, "stroke-width": 4, "stroke-linejoin": "round", "paint-order": "stroke" };
    for (const { text, x, y, points } of this.placedLabels(this.over.getContext("2d"))) {
      const place = { x, y, "font-size": points, "font-weight": 600, "text-anchor": "middle", "dominant-baseline": "middle" };
      add(words, "text", { ...place, ...outline }, text);
    }
    const left = this.room + 18;
    add(words, "text", { x: left, y: 28, "font-size": 13, "font-weight": 600 }, this.data.legend.title);
    this.data.legend.items.forEach((item, k) => {
      const y = 52 + 20 * k;
      add(words, "circle", { cx: left + 5, cy: y - 4, r: 5, fill: this.data.palette[item.codes[0]] });
      add(words, "text", { x: left + 18, y, "font-size": 12 }, `${item.label}  ${item.n}`);
    });
    const text = new XMLSerializer().serializeToString(svg);
    const href = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
    this.download("tamis-map.svg", href);
    setTimeout(() => URL.revokeObjectURL(href), 10_000);
  }

  // Points by cell, so that the nearest one is found without looking at all.
  index() {
    const starts = new Uint32Array(CELLS * CELLS + 1);
    const cell = (k) => (this.points[2 * k + 1] >> 7) * CELLS + (this.points[2 * k] >> 7);
    for (let k = 0; k < this.n; k++) starts[cell(k) + 1]++;
    for (let c = 0; c < CELLS * CELLS; c++) starts[c + 1] += starts[c];
    const next = starts.slice();
    const rows = new Uint32Array(this.n);
    for (let k = 0; k < this.n; k++) rows[next[cell(k)]++] = k;
    this.grid = { starts, rows };
  }

  nearest(px, py, reach = 7) {
    if (!this.points) return -1;
    if (!this.grid) this.index();
    const [[x0, y1], [x1, y0]] = [this.toMap(px - reach, py - reach), this.toMap(px + reach, py + reach)];
    const clamp = (value) => Math.min(CELLS - 1, Math.max(0, Math.floor(value * CELLS)));
    let best = -1;
    let bestDistance = reach * reach;
    let looked = 0;
    for (let j = clamp(y0); j <= clamp(y1); j++) {
      for (let i = clamp(x0); i <= clamp(x1); i++) {
        const c = j * CELLS + i;
        for (let at = this.grid.starts[c]; at < this.grid.starts[c + 1]; at++) {
          if (++looked > 200000) return best;
          const k = this.grid.rows[at];
          if (this.hidden.has(this.group[k])) continue;
          const [sx, sy] = this.toScreen(this.points[2 * k] / 65535, this.points[2 * k + 1] / 65535);
          const d = (sx - px) ** 2 + (sy - py) ** 2;
          if (d < bestDistance) [best, bestDistance] = [k, d];
        }
      }
    }
    return best;
  }

  hover(place) {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(async () => {
      const row = this.nearest(...place);
      if (row < 0) return this.hideTip();
      this.asked = row;
      const answer = await fetch(`${this.data.snippets}/${row}`, { headers: { "x-tamis-token": this.data.token } });
      if (!answer.ok || this.asked !== row || this.pointers.size) return undefined;
      this.showTip(place, await answer.json());
      return undefined;
    }, 110);
  }

  showTip([x, y], found) {
    const text = document.createElement("div");
    text.textContent = found.text || "(no text)";
    const facts = document.createElement("div");
    facts.className = "facts";
    facts.textContent = found.lines.join(" · ");
    this.tip.replaceChildren(text, facts);
    this.tip.style.display = "block";
    const left = x + 340 > this.width ? Math.max(4, x - 334) : x + 14;
    this.tip.style.left = `${left}px`;
    this.tip.style.top = `${Math.min(y + 12, Math.max(4, this.height - this.tip.offsetHeight - 6))}px`;
  }

  hideTip() {
    clearTimeout(this.waiting);
    this.asked = -1;
    this.tip.style.display = "none";
  }
}
