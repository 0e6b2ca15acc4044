// The gallery of documents: a page of pictures in a grid.

const WIDE = "130px"; // About the width of a tile, see the style sheet.

class Gallery extends DocumentList {
  constructor(root) {
    super(root, "li");
  }

  steps(tiles) {
    const across = tiles.filter((other) => other.offsetTop === tiles[0].offsetTop).length;
    return { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across };
  }

  build() {
    const list = element("ul");
    list.setAttribute("aria-label", this.data.label);
    for (const row of this.data.rows) list.appendChild(this.tile(row));
    return list;
  }

  tile(row) {
    const { item, opener, tick } = this.item("li", row);
    const picture = element("img");
    picture.loading = "lazy";
    picture.decoding = "async";
    picture.alt = row.name;
    const [small, large] = [128, 320].map((size) => `${this.data.pictures}/${row.row}?size=${size}`);
    picture.sizes = WIDE;
    picture.srcset = `${small} 128w, ${large} 320w`; // The large one is made when somebody looks, so only fine screens ask.
    picture.src = small;
    picture.addEventListener("error", () => sayLost(picture));
    opener.appendChild(picture);
    opener.addEventListener("click", () => this.open(item));
    const words = element("div", "words");
    words.dir = "auto";
    words.title = row.name;
    this.write(words, row.text);
    const note = element("div", "note");
    note.textContent = row.note;
    note.title = row.note;
    const pick = element("label", "pick");
    pick.append(tick);
    item.append(opener, words, note, pick);
    if (row.dropped) {
      item.classList.add("dropped");
      const mark = element("div", "mark");
      mark.textContent = row.dropped;
      mark.title = row.dropped;
      item.append(mark);
    }
    return item;
  }
}

export default shownBy(Gallery, ".tamis-gallery");
