// Drawing the points with WebGL2. Many points per pixel are added up in a float picture and toned by a logarithm
// (density); few are drawn one by one; between the two, both are mixed. The sums are made here, not by blending: every
// document counts exactly once, and a browser that draws in software takes a tenth of the time.

const LAYERS = { all: 0, back: 1, front: 2 };
const BACK_STRENGTH = 0.2;

// Emphasis: dropped documents fade, and so do those outside the selection.
const POINT_VERTEX = `#version 300 es
in vec2 place; in float group; in float flag;
uniform vec2 centre; uniform vec2 scale; uniform float shift; uniform float size; uniform float alpha;
uniform sampler2D palette; uniform float overlay; uniform float some; uniform int layer;
out vec4 colour;
void main() {
  vec4 base = texelFetch(palette, ivec2(int(group), 0), 0);
  bool front = (overlay < 0.5 || mod(flag, 2.0) > 0.5) && (some < 0.5 || flag > 1.5);
  bool absent = base.a < 0.01 || place == vec2(0.0) || (layer == 1 && front) || (layer == 2 && !front);
  colour = vec4(base.rgb, base.a * alpha);
  gl_Position = absent ? vec4(2.0, 2.0, 0.0, 1.0) : vec4((place - centre) * scale - vec2(shift, 0.0), 0.0, 1.0);
  gl_PointSize = some > 0.5 && front ? size * 1.35 : size;
}`;

const POINT_FRAGMENT = `#version 300 es
precision mediump float;
in vec4 colour; out vec4 result;
void main() {
  result = vec4(colour.rgb, 1.0) * (colour.a * smoothstep(0.5, 0.36, distance(gl_PointCoord, vec2(0.5))));
}`;

const TONE_VERTEX = `#version 300 es
void main() { gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0); }`;

// A pixel's colour is the mean of its documents' colours, its strength the logarithm of their number, a little smoothed.
const TONE_FRAGMENT = `#version 300 es
precision highp float;
uniform sampler2D sums; uniform float reference; uniform float strength; uniform float least;
out vec4 result;
vec4 read(ivec2 at) { return texelFetch(sums, clamp(at, ivec2(0), textureSize(sums, 0) - 1), 0); }
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy), aside = ivec2(1, 0);
  vec4 sum = 0.5 * read(at) + 0.125 * (read(at + aside) + read(at - aside) + read(at + aside.yx) + read(at - aside.yx));
  if (sum.a <= 0.0) { result = vec4(0.0); return; }
  float dense = min(1.0, log(1.0 + 4.0 * sum.a) / log(1.0 + 4.0 * reference));
  float shown = strength * mix(least * min(1.0, 4.0 * sum.a), 1.0, dense);
  result = vec4(sum.rgb / sum.a, 1.0) * shown;
}`;

class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.gl = canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true, preserveDrawingBuffer: true });
    if (this.gl) this.setUp();
  }

  setUp() {
    const gl = this.gl;
    this.points = this.program(POINT_VERTEX, POINT_FRAGMENT, ["place", "group", "flag"]);
    this.tone = this.program(TONE_VERTEX, TONE_FRAGMENT, []);
    this.buffers = { place: gl.createBuffer(), group: gl.createBuffer(), flag: gl.createBuffer() };
    this.order = gl.createBuffer();
    this.palette = this.texture();
    this.picture = this.texture();
    this.sums = new Float32Array(0);
    gl.enable(gl.BLEND);
  }

  program(vertex, fragment, attributes) {
    const gl = this.gl;
    const made = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(made, shader);
    }
    attributes.forEach((name, k) => gl.bindAttribLocation(made, k, name));
    gl.linkProgram(made);
    if (!gl.getProgramParameter(made, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error(gl.getProgramInfoLog(made));
    const count = gl.getProgramParameter(made, gl.ACTIVE_UNIFORMS) || 0;
    const names = Array.from({ length: count }, (_, k) => gl.getActiveUniform(made, k).name);
    return { made, at: Object.fromEntries(names.map((name) => [name, gl.getUniformLocation(made, name)])) };
  }

  texture() {
    const gl = this.gl;
    const made = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, made);
    for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
    return made;
  }

  // place: uint16 pairs; group and flag: bytes.
  store(name, values) {
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffers[name]);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, values, this.gl.STATIC_DRAW);
  }

  // The points by cell of a grid, so that a part of the map can be drawn alone.
  storeCells(cells) {
    this.cells = cells;
    this.gl.bindBuffer(this.gl.ELEMENT_ARRAY_BUFFER, this.order);
    this.gl.bufferData(this.gl.ELEMENT_ARRAY_BUFFER, cells.rows, this.gl.STATIC_DRAW);
  }

  // Flag and group of every point, in the order of the cells.
  shade(group, flag) {
    const rows = this.cells.rows;
    this.shades = new Uint16Array(rows.length);
    for (let q = 0; q < rows.length; q++) this.shades[q] = (flag[rows[q]] << 8) | group[rows[q]];
  }

  storePalette(bytes) {
    const gl = this.gl;
    this.colours = bytes;
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.palette);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
  }

  // Every step-th point; the stride does what an index would.
  readEvery(step) {
    const gl = this.gl;
    [["place", 2, gl.UNSIGNED_SHORT, true, 4], ["group", 1, gl.UNSIGNED_BYTE, false, 1], ["flag", 1, gl.UNSIGNED_BYTE, false, 1]]
      .forEach(([name, width, kind, unit, bytes], slot) => {
        gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
        gl.enableVertexAttribArray(slot);
        gl.vertexAttribPointer(slot, width, kind, unit, bytes * step, 0);
      });
  }

  // scene: n, step, spans (of the cells' rows that are seen), centre, scale, shift, overlay, some, density
  // (0 to 1), busy (documents per screen pixel of the busiest places), size and alpha of single points, ratio of screen
  // pixels.
  paint(scene) {
    const gl = this.gl;
    this.readEvery(scene.step);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const split = scene.overlay || scene.some;
    for (const layer of split ? ["back", "front"] : ["all"]) {
      const strength = layer === "back" ? BACK_STRENGTH : 1;
      if (scene.density > 0) this.paintDensity(scene, layer, strength * Math.min(1, 2 * scene.density));
      if (scene.density < 1) this.paintPoints(scene, layer, strength * (1 - scene.density));
    }
  }

  paintPoints(scene, layer, strength) {
    const gl = this.gl;
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    const { made, at } = this.points;
    gl.useProgram(made);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.palette);
    gl.uniform1i(at.palette, 0);
    gl.uniform2f(at.centre, ...scene.centre);
    gl.uniform2f(at.scale, ...scene.scale);
    const values = {
      shift: scene.shift, size: scene.size * scene.ratio, alpha: scene.alpha * strength, overlay: scene.overlay, some: scene.some,
    };
    for (const [name, value] of Object.entries(values)) gl.uniform1f(at[name], Number(value));
    gl.uniform1i(at.layer, LAYERS[layer]);
    if (scene.step > 1) gl.drawArrays(gl.POINTS, 0, Math.floor(scene.n / scene.step));
    else for (const [from, to] of scene.spans) gl.drawElements(gl.POINTS, to - from, gl.UNSIGNED_INT, 4 * from);
  }

  paintDensity(scene, layer, strength) {
    const gl = this.gl;
    const { width, height } = this.canvas;
    const part = this.addUp(scene, layer);
    if (!part) return;
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    const { made, at } = this.tone;
    gl.useProgram(made);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.picture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, width, height, 0, gl.RGBA, gl.FLOAT, this.sums);
    gl.uniform1i(at.sums, 0);
    gl.uniform1f(at.reference, Math.max(1, scene.busy / (scene.step * scene.ratio ** 2)));
    gl.uniform1f(at.strength, strength);
    gl.uniform1f(at.least, layer === "front" ? 0.4 : 0.2);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(...part);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.disable(gl.SCISSOR_TEST);
  }

  // Adds every step-th point of a layer to its pixel: the sums of colour times strength, and of strength. Returns the
  // part of the picture that holds them and what is smoothed around them (x, y, width, height), null without a point.
  addUp(scene, layer) {
    const { shades, colours } = this;
    const points = this.cells.points;
    const step = scene.step;
    const { width, height } = this.canvas;
    if (this.sums.length !== 4 * width * height) this.sums = new Float32Array(4 * width * height);
    else this.sums.fill(0);
    const sums = this.sums;
    const strengths = this.strengths(scene, layer);
    const [scaleX, scaleY] = [(scene.scale[0] * width) / 2, (scene.scale[1] * height) / 2];
    const [x0, y0] = [((1 - scene.shift) * width) / 2 - scene.centre[0] * scaleX, height / 2 - scene.centre[1] * scaleY];
    const [dx, dy] = [scaleX / 65535, scaleY / 65535];
    let [left, right, low, high] = [width, -1, height, -1];
    for (const [from, to] of scene.spans) {
      for (let q = from; q < to; q += step) {
        const strength = strengths[shades[q]];
        if (strength === 0) continue;
        const x = x0 + points[2 * q] * dx;
        const y = y0 + points[2 * q + 1] * dy;
        if (x < 0 || y < 0 || x >= width || y >= height) continue;
        const column = x | 0;
        const row = y | 0;
        if (column < left) left = column;
        if (column > right) right = column;
        if (row < low) low = row;
        if (row > high) high = row;
        const at = 4 * (row * width + column);
        const colour = 4 * (shades[q] & 255);
        sums[at] += strength * colours[colour];
        sums[at + 1] += strength * colours[colour + 1];
        sums[at + 2] += strength * colours[colour + 2];
        sums[at + 3] += 255 * strength;
      }
    }
    return right < 0 ? null : [left - 1, low - 1, right - left + 3, high - low + 3];
  }

  // How strongly a point counts in a layer, by its flag and its group.
  strengths(scene, layer) {
    const found = new Float32Array(4 * 256);
    for (let flag = 0; flag < 4; flag++) {
      const front = (!scene.overlay || flag & 1) && (!scene.some || flag & 2);
      if (layer !== "all" && (layer === "front") !== Boolean(front)) continue;
      for (let code = 0; code < 256; code++) found[(flag << 8) | code] = this.colours[4 * code + 3] / 255 / 255;
    }
    return found;
  }
}
