// The gallery of documents: a page of pictures in a grid; one opens in the reader, ticks pick documents over all pages.
// Every text is written with textContent.

const galleries = new WeakMap();
const kept = { key: "", top: 0, row: null }; // Where the gallery was when it last went from the page.

export default function (component) {
  const root = component.parentElement.querySelector(".tamis-gallery");
  let gallery = galleries.get(root);
  if (!gallery) {
    gallery = new Gallery(root);
    galleries.set(root, gallery);
  }
  gallery.update(component);
}

class Gallery {
  constructor(root) {
    this.root = root;
    this.picked = new Set();
    root.addEventListener("keydown", (event) => this.pressed(event));
    root.addEventListener("scroll", () => (kept.top = root.scrollTop));
  }

  update(component) {
    this.component = component;
    const data = component.data;
    if (this.turn !== data.turn) {
      this.turn = data.turn;
      this.picked = new Set(data.picked);
    }
    const shown = JSON.stringify([data.key, data.tiles, data.pictures, data.turn]);
    if (shown !== this.shown) {
      this.shown = shown;
      this.data = data;
      this.build();
      const same = kept.key === data.key;
      this.root.scrollTop = same ? kept.top : 0;
      const tile = same && this.tileOf(kept.row);
      if (tile && (document.activeElement === document.body || document.activeElement === null)) this.focus(tile, true);
      kept.key = data.key;
    }
    this.data = data;
    this.root.style.maxHeight = `${data.height}px`;
    for (const tile of this.tiles()) {
      const open = Number(tile.dataset.row) === data.open;
      tile.classList.toggle("open", open);
      if (open) tile.querySelector(".opener").setAttribute("aria-current", "true");
      else tile.querySelector(".opener").removeAttribute("aria-current");
    }
  }

  tiles() {
    return [...this.root.querySelectorAll("li")];
  }

  tileOf(number) {
    return this.tiles().find((tile) => Number(tile.dataset.row) === number);
  }

  build() {
    const list = element("ul");
    list.setAttribute("aria-label", this.data.label);
    for (const tile of this.data.tiles) list.appendChild(this.tile(tile));
    this.root.replaceChildren(list);
    this.tick();
  }

  tile(tile) {
    const item = element("li");
    item.dataset.row = tile.row;
    item.dataset.id = tile.id;
    const opener = element("button", "opener");
    opener.type = "button";
    opener.tabIndex = this.data.tiles[0] === tile ? 0 : -1;
    const picture = element("img");
    picture.loading = "lazy";
    picture.decoding = "async";
    picture.alt = tile.name;
    picture.src = `${this.data.pictures}/${tile.row}?size=${this.data.size}`;
    picture.addEventListener("error", () => item.classList.add("lost"));
    opener.appendChild(picture);
    opener.addEventListener("click", () => {
      this.focus(item);
      this.component.setTriggerValue("opened", tile.row);
    });
    const words = element("div", "words");
    words.dir = "auto";
    words.title = tile.name;
    for (const [text, hit] of tile.text) words.appendChild(element(hit ? "mark" : "span")).textContent = text;
    const note = element("div", "note");
    note.textContent = tile.note;
    note.title = tile.note;
    const tick = element("input");
    tick.type = "checkbox";
    tick.setAttribute("aria-label", `Pick ${tile.id}`);
    tick.tabIndex = -1;
    tick.addEventListener("change", () => this.pick(tile.id, tick.checked));
    const pick = element("label", "pick");
    pick.append(tick);
    item.append(opener, words, note, pick);
    if (tile.dropped) {
      item.classList.add("dropped");
      const mark = element("div", "mark");
      mark.textContent = tile.dropped;
      mark.title = tile.dropped;
      item.append(mark);
    }
    return item;
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = { PageDown: 1, PageUp: -1 }[event.key];
    if (page) {
      event.preventDefault();
      this.component.setTriggerValue("turned", page);
      return;
    }
    const tile = event.target.closest("li");
    if (!tile) return;
    const tiles = this.tiles();
    const across = tiles.filter((other) => other.offsetTop === tiles[0].offsetTop).length;
    const to = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across, Home: -tiles.length, End: tiles.length }[event.key];
    if (to) {
      event.preventDefault();
      this.focus(tiles[Math.min(tiles.length - 1, Math.max(0, tiles.indexOf(tile) + to))]);
    } else if (event.key === "x" || event.key === "X") {
      event.preventDefault();
      const tick = tile.querySelector(".pick input");
      tick.checked = !tick.checked;
      this.pick(tile.dataset.id, tick.checked);
    }
  }

  focus(tile, quiet) {
    for (const other of this.root.querySelectorAll(".opener")) other.tabIndex = -1;
    const opener = tile.querySelector(".opener");
    opener.tabIndex = 0;
    opener.focus({ preventScroll: Boolean(quiet) });
    kept.row = Number(tile.dataset.row);
  }

  pick(id, on) {
    if (on) this.picked.add(id);
    else this.picked.delete(id);
    this.tick();
    this.component.setStateValue("picked", { turn: this.turn, ids: [...this.picked].sort() });
  }

  tick() {
    for (const tile of this.tiles()) {
      const on = this.picked.has(tile.dataset.id);
      tile.querySelector(".pick input").checked = on;
      tile.classList.toggle("picked", on);
    }
  }
}

function element(name, kind) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  return made;
}
