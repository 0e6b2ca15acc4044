// The legend: what the colours mean, a search among them, and which groups are hidden. A click hides or shows a group, a
// double click or "only" shows it alone. What is hidden is neither drawn nor selected.

const SEARCHED = 6; // From so many groups on the legend can be searched.

class Legend {
  constructor(map, box) {
    this.map = map;
    this.box = box;
    this.words = "";
    this.rows = [];
    this.folded = false;
    this.fold = element("button", { type: "button", className: "fold", onclick: () => this.setFolded(!this.folded) });
    this.title = element("span", { className: "title" });
    this.unseen = element("span", { className: "unseen" });
    this.fold.append(element("span", { className: "mark", ariaHidden: "true" }), this.title, this.unseen);
    this.field = element("input", { type: "search", ariaLabel: "Search the legend", placeholder: "Search" });
    this.field.oninput = () => this.search(this.field.value);
    this.field.onkeydown = (event) => this.key(event);
    this.list = element("div", { className: "rows" });
    this.foot = element("div", { className: "foot" });
    this.these = element("button", { type: "button", onclick: () => this.showOnly(this.found()) });
    this.every = element("button", { type: "button", textContent: "Show all", onclick: () => this.showOnly([]) });
    this.note = element("span", { className: "note" });
    this.foot.append(this.these, this.every, this.note);
    this.fold.ariaExpanded = "true";
    box.append(this.fold, this.field, this.list, this.foot);
  }

  // Rows are made again only when they say something else, so that focus and place in the list stay.
  show(legend, palette) {
    const made = JSON.stringify([legend, palette]);
    if (made !== this.made) {
      this.made = made;
      this.data = legend;
      this.title.textContent = legend.title;
      this.title.title = legend.title;
      this.note.textContent = legend.more;
      this.rows = legend.items.map((item) => this.row(item, palette[item.codes[0]]));
      this.list.replaceChildren(...this.rows.map((row) => row.box));
      this.search("");
    }
    this.refresh();
  }

  row(item, colour) {
    const box = element("div", { className: "entry" });
    const toggle = element("button", { type: "button", className: "group", title: `${item.label}: click to hide or show` });
    const dot = element("i", {});
    dot.style.background = colour;
    toggle.append(dot, element("span", { className: "label", textContent: item.label }),
      element("span", { className: "n", textContent: item.n }));
    toggle.onclick = () => this.toggle(item);
    toggle.ondblclick = () => this.showOnly([item]);
    const only = element("button", { type: "button", className: "only", textContent: "only" });
    only.ariaLabel = `Only ${item.label}`;
    only.onclick = () => this.showOnly(this.alone(item) ? [] : [item]);
    box.append(toggle, only);
    return { item, box, toggle };
  }

  toggle(item) {
    const { hidden } = this.map;
    for (const code of item.codes) hidden.has(code) ? hidden.delete(code) : hidden.add(code);
    this.changed();
  }

  alone(item) {
    return this.data.items.every((other) => other === item || this.isHidden(other));
  }

  isHidden(item) {
    return item.codes.some((code) => this.map.hidden.has(code));
  }

  // Hides every group but these; none given: hides nothing.
  showOnly(items) {
    const { hidden } = this.map;
    hidden.clear();
    if (items.length) {
      for (const other of this.data.items) if (!items.includes(other)) for (const code of other.codes) hidden.add(code);
    }
    this.changed();
  }

  changed() {
    this.refresh();
    this.map.legendChanged();
  }

  found() {
    return this.data.items.filter((item) => item.label.toLowerCase().includes(this.words));
  }

  search(words) {
    this.words = words.trim().toLowerCase();
    if (!words) this.field.value = "";
    this.field.hidden = this.data.items.length < SEARCHED;
    this.refresh();
  }

  key(event) {
    if (event.key === "Escape" && this.words) this.search("");
    else if (event.key === "Enter" && this.words && this.found().length) this.showOnly(this.found());
    else if (event.key === "Escape") return;
    event.stopPropagation();
  }

  refresh() {
    const found = new Set(this.found());
    let hidden = 0;
    for (const { item, box, toggle } of this.rows) {
      const shown = !this.isHidden(item);
      hidden += Number(!shown);
      box.hidden = !found.has(item);
      toggle.ariaPressed = String(shown);
    }
    this.unseen.textContent = hidden ? `${hidden} hidden` : "";
    this.these.hidden = !this.words || !found.size || found.size === this.rows.length;
    this.these.textContent = `Only these ${found.size}`;
    this.every.hidden = !hidden;
    this.note.textContent = this.words && !found.size ? "No group has these words." : this.data.more;
    this.foot.hidden = this.these.hidden && this.every.hidden && !this.note.textContent;
  }

  setFolded(folded) {
    this.folded = folded;
    this.box.toggleAttribute("data-folded", folded);
    this.fold.ariaExpanded = String(!folded);
    this.map.drawLines();
  }
}

function element(name, values) {
  return Object.assign(document.createElement(name), values);
}
