// Tools of the map: buttons, dials and keys.

const KEYS = {
  l: "lasso", b: "box", p: "pan", v: "pan", t: "pictures", 0: "home", h: "home", "+": "in", "=": "in", "-": "out",
};
const MOVES = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const STEP = 0.08; // Share of the view that an arrow key moves it by.
const CLOSER = 1.5; // Times nearer that a key or button leads.

class Tools {
  constructor(map) {
    this.map = map;
    this.root = map.root;
    this.adding = false; // Whether an area is added to the selection.
    this.dials = this.root.querySelector(".dials");
    this.root.addEventListener("keydown", (event) => this.key(event));
    for (const button of this.root.querySelectorAll(".tools button")) {
      button.onclick = () => this.act(button.dataset.act);
    }
    this.choose(left.tool);
    for (const dial of this.dials.querySelectorAll("input")) {
      dial.value = left[dial.name];
      dial.oninput = () => this.turn(dial.name, Number(dial.value));
    }
    this.dials.querySelector("button").onclick = () => this.reset();
  }

  turn(name, value) {
    left[name] = value;
    this.map.draw();
  }

  // Turns all dials to where they usually are.
  reset() {
    for (const dial of this.dials.querySelectorAll("input")) this.turn(dial.name, Number((dial.value = 0)));
  }

  key(event) {
    const { map } = this;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input") || (["Enter", " "].includes(event.key) && event.target.closest("button"))) return;
    const middle = [map.room / 2, map.height / 2];
    if (event.key === "Escape") map.clear();
    else if (event.key === "Enter") map.open(...middle);
    else if (event.key.toLowerCase() === "a") map.selectSeen(event.shiftKey);
    else if (MOVES[event.key]) {
      const [x, y] = MOVES[event.key];
      map.shift(middle, [middle[0] + STEP * x * map.room, middle[1] + STEP * y * map.height]);
      map.tip.rest(middle);
    } else if (KEYS[event.key.toLowerCase()]) this.act(KEYS[event.key.toLowerCase()]);
    else return;
    event.preventDefault();
  }

  act(name) {
    const { map } = this;
    if (name === "home") map.home();
    else if (name === "in") map.zoomAt(map.room / 2, map.height / 2, CLOSER);
    else if (name === "out") map.zoomAt(map.room / 2, map.height / 2, 1 / CLOSER);
    else if (name === "png") savePng(map);
    else if (name === "svg") saveSvg(map);
    else if (name === "look") this.showDials(this.dials.hidden);
    else if (name === "pictures") {
      if (map.data.pictures) left.pictures = !left.pictures;
      this.choose(this.chosen);
      map.drawLines();
    } else if (name === "add") {
      this.adding = !this.adding;
      this.choose(this.chosen);
    } else this.choose(name);
  }

  showDials(shown) {
    this.dials.hidden = !shown;
    this.root.querySelector("[data-act=look]").ariaExpanded = String(shown);
  }

  // What a pointer does: "pan", "lasso" or "box".
  choose(name) {
    this.chosen = name;
    left.tool = name;
    this.root.dataset.tool = name;
    for (const button of this.root.querySelectorAll(".tools button[aria-pressed]")) {
      const own = { add: this.adding, pictures: left.pictures }[button.dataset.act];
      button.setAttribute("aria-pressed", String(own ?? button.dataset.act === name));
    }
  }
}
