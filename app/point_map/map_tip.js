// What is said about the document under the pointer: its text, turns or picture, and a line of facts.

const WAIT = 110; // Milliseconds the pointer rests before a document is asked for.

class Tip {
  constructor(map, box) {
    this.map = map;
    this.box = box;
    this.asked = -1;
  }

  // Asks for the document nearest to a place and shows it there.
  rest(place) {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(async () => {
      const row = this.map.nearest(...place);
      if (row < 0) return this.hide();
      this.asked = row;
      const { snippets, token } = this.map.data;
      const answer = await fetch(`${snippets}/${row}`, { headers: { "x-tamis-token": token } });
      if (!answer.ok || this.asked !== row || this.map.hand.busy) return undefined;
      this.show(place, await answer.json());
      return undefined;
    }, WAIT);
  }

  show([x, y], found) {
    const { map, box } = this;
    const text = found.turns ? this.turns(found.turns) : document.createElement("div");
    if (!found.turns) {
      text.dir = "auto";
      text.textContent = found.text || (found.picture === undefined ? "(no text)" : found.id);
    }
    const facts = document.createElement("div");
    facts.className = "facts";
    facts.textContent = found.lines.join(" · ");
    box.replaceChildren(...(found.picture === undefined ? [] : [this.picture(found)]), text, facts);
    box.style.display = "block";
    box.style.left = `${x + 340 > map.width ? Math.max(4, x - 334) : x + 14}px`;
    box.style.top = `${Math.min(y + 12, Math.max(4, map.height - box.offsetHeight - 6))}px`;
  }

  picture(found) {
    const shown = document.createElement("img");
    shown.alt = "";
    shown.addEventListener("error", () => sayLost(shown));
    shown.src = `${this.map.data.pictures}/${found.picture}?size=320`;
    return shown;
  }

  turns(turns) {
    const said = document.createElement("div");
    for (const turn of turns) {
      const line = document.createElement("div");
      const who = document.createElement("b");
      const words = document.createElement("span");
      line.className = `tamis-said ${turn.role}`;
      who.textContent = turn.title;
      words.dir = "auto";
      words.textContent = turn.text || "(nothing to read)";
      line.append(who, words);
      said.append(line);
    }
    return said;
  }

  hide() {
    clearTimeout(this.waiting);
    this.asked = -1;
    this.box.style.display = "none";
  }
}
