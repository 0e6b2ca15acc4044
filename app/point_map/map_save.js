// Saving the map: PNG as seen, SVG with the points as a picture and labels and legend as text that other programs edit.

const SVG = "http://www.w3.org/2000/svg";

function download(name, href) {
  const link = document.createElement("a");
  link.download = name;
  link.href = href;
  link.click();
}

function sheet(map, layers) {
  const made = document.createElement("canvas");
  made.width = map.over.width;
  made.height = map.over.height;
  const draw = made.getContext("2d");
  draw.fillStyle = getComputedStyle(map.root).backgroundColor;
  draw.fillRect(0, 0, made.width, made.height);
  map.moved = false; // All points, also while the view moves.
  map.drawPoints();
  for (const layer of layers) draw.drawImage(layer, 0, 0);
  return made.toDataURL("image/png");
}

function savePng(map) {
  download("tamis-map.png", sheet(map, [map.gl_canvas, map.over]));
}

function node(parent, name, values, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent?.append(made);
  return made;
}

function saveSvg(map) {
  const style = getComputedStyle(map.root);
  const svg = node(null, "svg", { viewBox: `0 0 ${map.width} ${map.height}` });
  node(svg, "image", { width: map.width, height: map.height, href: sheet(map, [map.gl_canvas]) });
  const words = node(svg, "g", { "font-family": style.fontFamily, fill: style.color });
  const outline = { stroke: style.backgroundColor, "stroke-width": 4, "stroke-linejoin": "round", "paint-order": "stroke" };
  for (const { text, x, y, points } of placeLabels(map, map.over.getContext("2d"))) {
    const place = { x, y, "font-size": points, "font-weight": 600, "text-anchor": "middle", "dominant-baseline": "middle" };
    node(words, "text", { ...place, ...outline }, text);
  }
  const left = map.room + 18;
  node(words, "text", { x: left, y: 28, "font-size": 13, "font-weight": 600 }, map.data.legend.title);
  const shown = map.data.legend.items.filter((item) => !item.codes.some((code) => map.hidden.has(code)));
  shown.slice(0, Math.floor((map.height - 60) / 20)).forEach((item, k) => {
    const y = 52 + 20 * k;
    node(words, "circle", { cx: left + 5, cy: y - 4, r: 5, fill: map.data.palette[item.codes[0]] });
    node(words, "text", { x: left + 18, y, "font-size": 12 }, `${item.label}  ${item.n}`);
  });
  const href = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" }));
  download("tamis-map.svg", href);
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}
