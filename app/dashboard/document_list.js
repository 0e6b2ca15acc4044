// What the table and the gallery of documents share: a page of documents of which one opens in the reader; keys go from
// one to the next, ticks pick documents over all pages, and place and focus stay while the page shows the same.
// Every text is written with textContent.

const kept = { key: "", top: 0, row: null }; // Where the list was when it last went from the page.

class DocumentList {
  constructor(root, items) {
    this.root = root;
    this.items = () => [...root.querySelectorAll(items)]; // The elements of the documents, in order.
    this.itemOf = (element) => element.closest(items);
    this.picked = new Set();
    root.addEventListener("keydown", (event) => this.pressed(event));
    root.addEventListener("scroll", () => (kept.top = root.scrollTop));
  }

  update(component) {
    this.component = component;
    const { open, picked, height, ...content } = component.data;
    if (this.turn !== content.turn) {
      this.turn = content.turn;
      this.picked = new Set(picked);
    }
    const shown = JSON.stringify(content);
    if (shown !== this.shown) {
      this.shown = shown;
      this.data = content;
      this.root.replaceChildren(this.build());
      this.tick();
      const same = kept.key === content.key;
      this.root.scrollTop = same ? kept.top : 0;
      const item = same && this.items().find((each) => Number(each.dataset.row) === kept.row);
      if (item && (document.activeElement === document.body || document.activeElement === null)) this.focus(item, true);
      kept.key = content.key;
    }
    this.root.style.maxHeight = `${height}px`;
    for (const item of this.items()) {
      const read = Number(item.dataset.row) === open;
      item.classList.toggle("open", read);
      if (read) item.querySelector(".opener").setAttribute("aria-current", "true");
      else item.querySelector(".opener").removeAttribute("aria-current");
    }
  }

  // A document's element with its tick and the button that opens it, neither attached yet.
  item(name, row) {
    const item = element(name);
    item.dataset.row = row.row;
    item.dataset.id = row.id;
    const opener = element("button", "opener");
    opener.type = "button";
    opener.tabIndex = this.data.rows[0] === row ? 0 : -1;
    const tick = element("input");
    tick.type = "checkbox";
    tick.setAttribute("aria-label", `Pick ${row.id}`);
    tick.tabIndex = -1;
    tick.addEventListener("change", () => this.pick([row], tick.checked));
    return { item, opener, tick };
  }

  write(place, text) {
    for (const [words, hit] of text) place.appendChild(element(hit ? "mark" : "span")).textContent = words;
  }

  open(item) {
    this.focus(item);
    this.component.setTriggerValue("opened", Number(item.dataset.row));
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = { PageDown: 1, PageUp: -1 }[event.key];
    if (page) {
      event.preventDefault();
      this.component.setTriggerValue("turned", page);
      return;
    }
    const item = this.itemOf(event.target);
    if (!item) return;
    const items = this.items();
    const to = { Home: -items.length, End: items.length, ...this.steps(items) }[event.key];
    if (to) {
      event.preventDefault();
      this.focus(items[Math.min(items.length - 1, Math.max(0, items.indexOf(item) + to))]);
    } else if (event.key === "x" || event.key === "X") {
      event.preventDefault();
      this.pick([item.dataset], !this.picked.has(item.dataset.id));
    }
  }

  focus(item, quiet) {
    for (const other of this.root.querySelectorAll(".opener")) other.tabIndex = -1;
    const opener = item.querySelector(".opener");
    opener.tabIndex = 0;
    opener.focus({ preventScroll: Boolean(quiet) });
    kept.row = Number(item.dataset.row);
  }

  pick(rows, on) {
    for (const { id } of rows) {
      if (on) this.picked.add(id);
      else this.picked.delete(id);
    }
    this.tick();
    this.component.setStateValue("picked", { turn: this.turn, ids: [...this.picked].sort() });
  }

  tick() {
    for (const item of this.items()) {
      const on = this.picked.has(item.dataset.id);
      item.querySelector(".pick input").checked = on;
      item.classList.toggle("picked", on);
    }
  }
}

// What Streamlit calls: shows the list of the place, made when it is first shown there.
function shownBy(List, place) {
  const lists = new WeakMap();
  return (component) => {
    const root = component.parentElement.querySelector(place);
    if (!lists.has(root)) lists.set(root, new List(root));
    lists.get(root).update(component);
  };
}

function element(name, kind) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  return made;
}
