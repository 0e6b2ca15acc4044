// Names of clusters on the map: the largest first, as many as the zoom has room for, never one over another. While the
// middle of a cluster is out of view, its name stays at the edge of what is seen of it.

const LABELS = 12; // Names on the whole map; more when near.
const MOST_LABELS = 80;
const LONGEST = 34;

// Returns the names that fit as { text, x, y, points, font }; what lies on the map takes its place first.
function placeLabels(map, draw) {
  const taken = coveredBoxes(map);
  const near = Math.max(1, map.view.zoom / map.data.home.zoom);
  const most = Math.min(MOST_LABELS, Math.round(LABELS * near ** 0.8));
  const gap = Math.max(2, 14 / near); // From afar names keep a distance.
  const family = getComputedStyle(map.root).fontFamily;
  const found = [];
  for (const label of map.data.labels) {
    if (found.length >= most) break;
    const place = seenPlace(map, label);
    if (!place) continue;
    const points = found.length < LABELS ? 13 : 12;
    draw.font = `600 ${points}px ${family}`;
    const text = label.text.length > LONGEST ? `${label.text.slice(0, LONGEST - 1)}…` : label.text;
    const half = draw.measureText(text).width / 2;
    const x = Math.min(map.room - half - 6, Math.max(half + 6, place[0]));
    const y = Math.min(map.height - points - 4, Math.max(points + 4, place[1]));
    // Pushed far from its cluster a name would stand for another one.
    if (Math.abs(x - place[0]) > half || half + 12 > map.room / 2) continue;
    const box = [x - half - 4, y - points, x + half + 4, y + points];
    const wide = [box[0] - gap, box[1] - gap, box[2] + gap, box[3] + gap];
    if (taken.some((other) => wide[0] < other[2] && wide[2] > other[0] && wide[1] < other[3] && wide[3] > other[1])) continue;
    taken.push(box);
    found.push({ text, x, y, points, font: draw.font });
  }
  return found;
}

// The boxes of tools, legend and status on the map, in its pixels.
function coveredBoxes(map) {
  const whole = map.root.getBoundingClientRect();
  return [".tools", ".legend", ".status"].map((name) => {
    const box = map.root.querySelector(name).getBoundingClientRect();
    return [box.left - whole.left, box.top - whole.top, box.right - whole.left, box.bottom - whole.top];
  });
}

// The middle of the part of a cluster that is seen, in pixels; null when none of it is.
function seenPlace(map, label) {
  const [x0, y0, x1, y1] = map.frame();
  const [x, y] = map.fromData([label.x, label.y]);
  const [right, top] = map.fromData([label.x + label.reach_x, label.y + label.reach_y]);
  const clamp = (middle, reach, low, high) => {
    const [from, to] = [Math.max(low, middle - reach), Math.min(high, middle + reach)];
    return from > to ? null : Math.min(to, Math.max(from, middle));
  };
  const [seenX, seenY] = [clamp(x, right - x, x0, x1), clamp(y, top - y, y0, y1)];
  return seenX === null || seenY === null ? null : map.toScreen(seenX, seenY);
}

function drawLabels(map, draw, ink, paper) {
  draw.textAlign = "center";
  draw.textBaseline = "middle";
  draw.lineJoin = "round";
  const placed = placeLabels(map, draw);
  for (const { text, x, y, font } of placed) {
    draw.font = font;
    draw.lineWidth = 4;
    draw.strokeStyle = paper;
    draw.strokeText(text, x, y);
    draw.fillStyle = ink;
    draw.fillText(text, x, y);
  }
  return placed;
}
