// The table of documents: headers sort all rows on the server, a whole row opens, ticks pick documents over all pages.
// Every text is written with textContent.

const tables = new WeakMap();
const kept = { key: "", top: 0, row: null }; // Where the table was when it last went from the page.

export default function (component) {
  const root = component.parentElement.querySelector(".tamis-table");
  let table = tables.get(root);
  if (!table) {
    table = new DocumentTable(root);
    tables.set(root, table);
  }
  table.update(component);
}

class DocumentTable {
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
    const shown = JSON.stringify([data.key, data.columns, data.rows, data.turn]);
    if (shown !== this.shown) {
      this.shown = shown;
      this.data = data;
      this.build();
      const same = kept.key === data.key;
      this.root.scrollTop = same ? kept.top : 0;
      const row = same && this.rowOf(kept.row);
      if (row && (document.activeElement === document.body || document.activeElement === null)) this.focus(row, true);
      kept.key = data.key;
    }
    this.data = data;
    this.root.style.maxHeight = `${data.height}px`;
    for (const row of this.rows()) {
      const open = Number(row.dataset.row) === data.open;
      row.classList.toggle("open", open);
      if (open) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }

  rows() {
    return [...this.root.querySelectorAll("tbody tr")];
  }

  rowOf(number) {
    return this.rows().find((row) => Number(row.dataset.row) === number);
  }

  build() {
    const table = element("table");
    table.setAttribute("aria-label", this.data.label);
    const head = table.appendChild(element("thead")).appendChild(element("tr"));
    const all = element("input");
    all.type = "checkbox";
    all.setAttribute("aria-label", "Pick all on this page");
    all.addEventListener("change", () => this.pickAll(all.checked));
    this.all = all;
    head.appendChild(element("th", "pick")).appendChild(all);
    for (const column of this.data.columns) head.appendChild(this.header(column));
    const body = table.appendChild(element("tbody"));
    for (const row of this.data.rows) body.appendChild(this.row(row));
    this.root.replaceChildren(table);
    this.tick();
  }

  header(column) {
    const cell = element("th", column.kind);
    cell.scope = "col";
    if (!column.sorts) {
      cell.textContent = column.title;
      return cell;
    }
    cell.setAttribute("aria-sort", column.order || "none");
    const button = element("button");
    button.type = "button";
    button.textContent = column.title;
    button.title = `Order all documents by ${column.title}`;
    const arrow = element("span", "arrow");
    arrow.setAttribute("aria-hidden", "true");
    arrow.textContent = { ascending: "▲", descending: "▼" }[column.order] || "";
    button.appendChild(arrow);
    button.addEventListener("click", () => this.component.setTriggerValue("ordered", column.name));
    cell.appendChild(button);
    return cell;
  }

  row(row) {
    const line = element("tr");
    line.dataset.row = row.row;
    line.dataset.id = row.id;
    const tick = element("input");
    tick.type = "checkbox";
    tick.setAttribute("aria-label", `Pick ${row.id}`);
    tick.tabIndex = -1;
    tick.addEventListener("change", () => this.pick(row.id, tick.checked));
    line.appendChild(element("td", "pick")).appendChild(tick);
    const opener = element("button", "opener");
    opener.type = "button";
    opener.tabIndex = this.data.rows[0] === row ? 0 : -1;
    for (const [text, hit] of row.text) opener.appendChild(element(hit ? "mark" : "span")).textContent = text;
    if (!row.text.some(([text]) => text.trim())) opener.textContent = "no visible text";
    const text = line.appendChild(element("td", "text"));
    text.dir = "auto";
    text.appendChild(opener);
    row.cells.forEach((value, place) => {
      const column = this.data.columns[place + 1];
      const cell = line.appendChild(element("td", column.kind));
      cell.textContent = value;
      cell.title = value;
    });
    line.addEventListener("click", (event) => {
      if (event.target.closest(".pick")) return;
      this.focus(line);
      this.component.setTriggerValue("opened", row.row);
    });
    return line;
  }

  pressed(event) {
    const line = event.target.closest("tbody tr");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { PageDown: 1, PageUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      this.component.setTriggerValue("turned", step);
      return;
    }
    if (!line) return;
    const rows = this.rows();
    const to = { ArrowDown: 1, ArrowUp: -1, Home: -rows.length, End: rows.length }[event.key];
    if (to) {
      event.preventDefault();
      this.focus(rows[Math.min(rows.length - 1, Math.max(0, rows.indexOf(line) + to))]);
    } else if (event.key === "x" || event.key === "X") {
      event.preventDefault();
      const tick = line.querySelector(".pick input");
      tick.checked = !tick.checked;
      this.pick(line.dataset.id, tick.checked);
    }
  }

  focus(line, quiet) {
    for (const other of this.root.querySelectorAll(".opener")) other.tabIndex = -1;
    const opener = line.querySelector(".opener");
    opener.tabIndex = 0;
    opener.focus({ preventScroll: Boolean(quiet) });
    kept.row = Number(line.dataset.row);
  }

  pick(id, on) {
    if (on) this.picked.add(id);
    else this.picked.delete(id);
    this.send();
  }

  pickAll(on) {
    for (const row of this.data.rows) {
      if (on) this.picked.add(row.id);
      else this.picked.delete(row.id);
    }
    this.send();
  }

  send() {
    this.tick();
    this.component.setStateValue("picked", { turn: this.turn, ids: [...this.picked].sort() });
  }

  tick() {
    let here = 0;
    for (const row of this.rows()) {
      const on = this.picked.has(row.dataset.id);
      here += on;
      row.querySelector(".pick input").checked = on;
      row.classList.toggle("picked", on);
    }
    this.all.checked = here > 0 && here === this.data.rows.length;
    this.all.indeterminate = here > 0 && here < this.data.rows.length;
  }
}

function element(name, kind) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  return made;
}
