// Lines over the points: areas, the ring around the document that is read, the cross that Enter reads at.

const RING = 10; // Radius of the ring, in pixels.

// Draws an area, its corners in map space: a selected one is closed, one that is being drawn is dashed.
function drawArea(map, draw, corners, accent, closed) {
  draw.beginPath();
  corners.forEach(([x, y], k) => draw[k ? "lineTo" : "moveTo"](...map.toScreen(x, y)));
  if (closed || map.tools.chosen === "box") draw.closePath();
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

function drawRing(map, draw, ink, paper) {
  const at = map.ringPlace();
  delete map.root.dataset.ring;
  if (!at) return;
  for (const [colour, width] of [[paper, 6], [ink, 2.5]]) {
    draw.beginPath();
    draw.arc(...at, RING, 0, 2 * Math.PI);
    draw.lineWidth = width;
    draw.strokeStyle = colour;
    draw.stroke();
  }
  map.root.dataset.ring = at.map((part) => part.toFixed(1)).join(" ");
}

// Draws the place that Enter reads, for use by keyboard.
function drawCross(map, draw, ink) {
  const [x, y] = [map.room / 2, map.height / 2];
  draw.beginPath();
  for (const [dx, dy] of [[1, 0], [0, 1]]) {
    for (const sign of [-1, 1]) {
      draw.moveTo(x + 4 * sign * dx, y + 4 * sign * dy);
      draw.lineTo(x + 12 * sign * dx, y + 12 * sign * dy);
    }
  }
  draw.lineWidth = 1.5;
  draw.strokeStyle = ink;
  draw.stroke();
}
