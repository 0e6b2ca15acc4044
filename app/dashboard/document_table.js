// The table of documents: headers sort all rows on the server, a whole row opens.

class DocumentTable extends DocumentList {
  constructor(root) {
    super(root, "tbody tr");
  }

  steps() {
    return { ArrowDown: 1, ArrowUp: -1 };
  }

  build() {
    const table = element("table");
    table.setAttribute("aria-label", this.data.label);
    const head = table.appendChild(element("thead")).appendChild(element("tr"));
    this.all = element("input");
    this.all.type = "checkbox";
    this.all.setAttribute("aria-label", "Pick all on this page");
    this.all.addEventListener("change", () => this.pick(this.data.rows, this.all.checked));
    head.appendChild(element("th", "pick")).appendChild(this.all);
    for (const column of this.data.columns) head.appendChild(this.header(column));
    const body = table.appendChild(element("tbody"));
    for (const row of this.data.rows) body.appendChild(this.row(row));
    return table;
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
    const { item, opener, tick } = this.item("tr", row);
    item.appendChild(element("td", "pick")).appendChild(tick);
    this.write(opener, row.text);
    if (!row.text.some(([text]) => text.trim())) opener.textContent = "no visible text";
    const text = item.appendChild(element("td", "text"));
    text.dir = "auto";
    text.appendChild(opener);
    row.cells.forEach((value, place) => {
      const cell = item.appendChild(element("td", this.data.columns[place + 1].kind));
      cell.textContent = value;
      cell.title = value;
    });
    item.addEventListener("click", (event) => event.target.closest(".pick") || this.open(item));
    return item;
  }

  tick() {
    super.tick();
    const here = this.data.rows.filter((row) => this.picked.has(row.id)).length;
    this.all.checked = here > 0 && here === this.data.rows.length;
    this.all.indeterminate = here > 0 && here < this.data.rows.length;
  }
}

export default shownBy(DocumentTable, ".tamis-table");
