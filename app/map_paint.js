// Drawing the points with WebGL2. Many points per pixel are added up in a float picture and toned by a logarithm
// (density); few are drawn one by one; between the two, both are mixed.

const LAYERS = { all: 0, back: 1, front: 2 };
const BACK_STRENGTH = 0.2;

// What stands out and what stays behind: dropped documents fade, and so do those outside the selection.
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
uniform float hard;
in vec4 colour; out vec4 result;
void main() {
  float edge = hard > 0.5 ? 1.0 : smoothstep(0.5, 0.36, distance(gl_PointCoord, vec2(0.5)));
  result = vec4(colour.rgb, 1.0) * (colour.a * edge);
}`;

const TONE_VERTEX = `#version 300 es
void main() { gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0); }`;

// A pixel's colour is the mean of its documents' colours, its strength the logarithm of their number, a little smoothed.
const TONE_FRAGMENT = `#version 300 es
precision highp float;
uniform sampler2D sums; uniform float reference; uniform float strength; uniform float least;
out vec4 result;
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy), last = textureSize(sums, 0) - 1;
  vec4 sum = vec4(0.0);
  for (int j = -1; j <= 1; j++) for (int i = -1; i <= 1; i++)
    sum += texelFetch(sums, clamp(at + ivec2(i, j), ivec2(0), last), 0) * float((2 - abs(i)) * (2 - abs(j))) / 16.0;
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
    this.palette = gl.createTexture();
    // Full floats add up any number of documents; half floats up to about two thousand per pixel.
    const float = gl.getExtension("EXT_color_buffer_float");
    this.format = !float ? null : gl.getExtension("EXT_float_blend") ? [gl.RGBA32F, gl.FLOAT] : [gl.RGBA16F, gl.HALF_FLOAT];
    this.sums = null;
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

  store(name, bytes) {
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffers[name]);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, bytes, this.gl.STATIC_DRAW);
  }

  storePalette(bytes) {
    const gl = this.gl;
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.palette);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
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

  // scene: n, step, centre, scale, shift, overlay, some, density (0 to 1), busy (documents per screen pixel of the
  // busiest places), size and alpha of single points, ratio of screen pixels.
  paint(scene) {
    const gl = this.gl;
    this.readEvery(scene.step);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const split = scene.overlay || scene.some;
    for (const layer of split ? ["back", "front"] : ["all"]) {
      const strength = layer === "back" ? BACK_STRENGTH : 1;
      if (scene.density > 0) this.paintDensity(scene, layer, strength * Math.min(1, 2 * scene.density));
      if (scene.density < 1) this.paintPoints(scene, layer, strength * (1 - scene.density));
    }
  }

  setPoints(scene, layer, size, alpha, hard) {
    const gl = this.gl;
    const { made, at } = this.points;
    gl.useProgram(made);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.palette);
    gl.uniform1i(at.palette, 0);
    gl.uniform2f(at.centre, ...scene.centre);
    gl.uniform2f(at.scale, ...scene.scale);
    const values = { shift: scene.shift, size, alpha, hard, overlay: scene.overlay, some: scene.some };
    for (const [name, value] of Object.entries(values)) gl.uniform1f(at[name], Number(value));
    gl.uniform1i(at.layer, LAYERS[layer]);
  }

  paintPoints(scene, layer, strength) {
    const gl = this.gl;
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.setPoints(scene, layer, scene.size * scene.ratio, scene.alpha * strength, 0);
    gl.drawArrays(gl.POINTS, 0, Math.floor(scene.n / scene.step));
  }

  paintDensity(scene, layer, strength) {
    const gl = this.gl;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.target().frame);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.blendFunc(gl.ONE, gl.ONE);
    this.setPoints({ ...scene, some: layer === "all" ? 0 : scene.some }, layer, 1, 1, 1);
    gl.drawArrays(gl.POINTS, 0, Math.floor(scene.n / scene.step));
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    const { made, at } = this.tone;
    gl.useProgram(made);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.sums.texture);
    gl.uniform1i(at.sums, 0);
    gl.uniform1f(at.reference, Math.max(1, scene.busy / (scene.step * scene.ratio ** 2)));
    gl.uniform1f(at.strength, strength);
    gl.uniform1f(at.least, layer === "front" ? 0.4 : 0.2);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  // The float picture the points are added up in, as large as the canvas.
  target() {
    const gl = this.gl;
    const { width, height } = this.canvas;
    if (this.sums?.width === width && this.sums.height === height) return this.sums;
    if (this.sums) {
      gl.deleteTexture(this.sums.texture);
      gl.deleteFramebuffer(this.sums.frame);
    }
    const texture = gl.createTexture();
    const frame = gl.createFramebuffer();
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, this.format[0], width, height, 0, gl.RGBA, this.format[1], null);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    this.sums = { texture, frame, width, height };
    return this.sums;
  }
}
