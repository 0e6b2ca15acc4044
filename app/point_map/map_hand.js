// Pointers on the map: a mouse or fingers move it, zoom it, draw an area, open a document.

const HOLD = 450; // Milliseconds a finger rests before it draws a lasso.
const STILL = 8; // Pixels a finger may move and still rest.
const CLICK = 4; // Pixels a pointer may move and still click.

class Hand {
  constructor(map, pad) {
    this.map = map;
    this.pad = pad;
    this.pointers = new Map(); // Those that are down, by id, each with its place in pixels.
    pad.addEventListener("pointerdown", (event) => this.down(event));
    pad.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) pad.addEventListener(name, (event) => this.up(event));
    pad.addEventListener("pointerleave", () => map.tip.hide());
    pad.addEventListener("dblclick", () => map.home());
    pad.addEventListener("wheel", (event) => {
      event.preventDefault();
      map.zoomAt(...this.at(event), Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)));
    }, { passive: false });
  }

  get busy() {
    return this.pointers.size > 0;
  }

  at(event) {
    const box = this.pad.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  down(event) {
    const { map } = this;
    map.root.focus({ preventScroll: true });
    this.pad.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.at(event));
    this.start = this.at(event);
    this.far = 0;
    map.tip.hide();
    clearTimeout(this.holding);
    if (this.pointers.size > 1) map.path = null;
    else if (map.tools.chosen !== "pan") map.path = [map.toMap(...this.start)];
    else if (event.pointerType === "touch") this.holding = setTimeout(() => this.hold(), HOLD);
    map.drawLines();
  }

  // A resting finger starts a lasso.
  hold() {
    if (this.pointers.size !== 1 || this.far > STILL) return;
    this.map.path = [this.map.toMap(...this.start)];
    this.map.root.dataset.holding = "yes";
    navigator.vibrate?.(15);
  }

  move(event) {
    const now = this.at(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      this.map.tip.rest(now);
      return;
    }
    this.far = Math.max(this.far, Math.hypot(now[0] - this.start[0], now[1] - this.start[1]));
    if (this.far > STILL) clearTimeout(this.holding);
    if (this.pointers.size === 2) this.pinch(event.pointerId, before, now);
    else if (this.map.path) this.extend(before, now);
    else if (this.far > CLICK) this.map.shift(before, now);
    this.pointers.set(event.pointerId, now);
  }

  // Two fingers: the distance between them zooms, their middle moves.
  pinch(id, before, now) {
    const [other] = [...this.pointers].filter(([key]) => key !== id).map(([, place]) => place);
    const middle = (place) => [(place[0] + other[0]) / 2, (place[1] + other[1]) / 2];
    const apart = (place) => Math.max(1, Math.hypot(place[0] - other[0], place[1] - other[1]));
    this.map.shift(middle(before), middle(now));
    this.map.zoomAt(...middle(now), apart(now) / apart(before));
  }

  extend(before, now) {
    const { map } = this;
    if (map.tools.chosen === "box") {
      const [a, b] = [map.toMap(...this.start), map.toMap(...now)];
      map.path = [a, [b[0], a[1]], b, [a[0], b[1]]];
    } else if (Math.hypot(now[0] - before[0], now[1] - before[1]) > 2) map.path.push(map.toMap(...now));
    map.drawLines();
  }

  up(event) {
    const { map } = this;
    const moved = this.far > CLICK;
    const several = this.pointers.size > 1;
    this.pointers.delete(event.pointerId);
    clearTimeout(this.holding);
    delete map.root.dataset.holding;
    if (event.type === "pointercancel") map.path = null;
    if (map.path && map.path.length > 2 && moved) map.select(map.path, event.shiftKey);
    else if (!moved && !several && event.type === "pointerup") map.open(...this.at(event));
    if (several) this.far = Infinity; // The finger that is left neither opens nor selects.
    map.path = null;
    map.drawLines();
  }
}
