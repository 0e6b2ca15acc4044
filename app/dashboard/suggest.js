// Candidates below the command bar while one types: columns, clusters, sources, pages, actions. Nothing is asked of the server
// before one is chosen; without a chosen one Enter sends what is typed.

const MOST = 8;
const PER_KIND = 3;
const PART = /[^\s()<>=!,'"]*$/; // The word under way, which a column completes.

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const list = parentElement.querySelector(".tamis-suggest");
  const said = parentElement.querySelector(".tamis-said-to-readers");
  let shown = [];
  let active = -1;

  const field = () => document.querySelector(`input[aria-label="${CSS.escape(data.field)}"]`);
  const isField = (event) => event.target === field();

  const close = () => {
    list.hidden = true;
    shown = [];
    active = -1;
    field()?.removeAttribute("aria-activedescendant");
  };

  const open = (found) => {
    const input = field();
    shown = found;
    active = -1;
    list.replaceChildren(...found.map(option));
    list.hidden = false; // Only what is shown has a place.
    const box = (input.closest('[data-testid="stTextInput"]') ?? input).getBoundingClientRect();
    const from = list.offsetParent.getBoundingClientRect();
    list.style.left = `${box.left - from.left}px`;
    list.style.top = `${box.bottom - from.top + 3}px`;
    list.style.width = `${box.width}px`;
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", list.id);
    said.textContent = `${found.length} suggestions, arrow down to choose`;
  };

  const option = (candidate, place) => {
    const row = document.createElement("div");
    row.id = `${list.id}-${place}`;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", "false");
    const kind = document.createElement("small");
    kind.textContent = candidate.kind;
    const title = document.createElement("bdi");
    title.textContent = candidate.title;
    row.append(title, kind);
    row.addEventListener("pointerdown", (event) => {
      event.preventDefault(); // The field keeps the focus.
      choose(candidate);
    });
    return row;
  };

  const mark = (place) => {
    active = place;
    [...list.children].forEach((row, at) => {
      row.setAttribute("aria-selected", String(at === place));
      if (at === place) row.scrollIntoView({ block: "nearest" });
    });
    if (place < 0) field().removeAttribute("aria-activedescendant");
    else field().setAttribute("aria-activedescendant", `${list.id}-${place}`);
  };

  const choose = (candidate) => {
    const input = field();
    const typed = input.value;
    close();
    if (candidate.kind === "column") {
      write(input, `${typed.slice(0, typed.length - typed.match(PART)[0].length)}${candidate.value} `);
      return;
    }
    write(input, candidate.value);
    close();
    setTriggerValue("chosen", { kind: candidate.kind, value: candidate.value });
  };

  const typed = (event) => {
    if (!isField(event) || !event.isTrusted) return;
    const found = matching(data.candidates, event.target.value);
    if (found.length) open(found);
    else close();
  };

  const pressed = (event) => {
    if (!isField(event) || list.hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) mark(Math.max(-1, Math.min(shown.length - 1, active + step)));
    else if (event.key === "Enter" && active >= 0) choose(shown[active]);
    else if (event.key === "Escape") close();
    else {
      if (event.key === "Enter" || event.key === "Tab") close();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const left = (event) => {
    if (isField(event)) close();
  };

  document.addEventListener("input", typed, true);
  document.addEventListener("keydown", pressed, true);
  document.addEventListener("focusout", left, true);
  return () => {
    document.removeEventListener("input", typed, true);
    document.removeEventListener("keydown", pressed, true);
    document.removeEventListener("focusout", left, true);
  };
}

// Those that begin with what is typed before those that hold it, a few of each kind.
function matching(candidates, text) {
  const whole = text.trim().toLowerCase();
  const part = text.match(PART)[0].toLowerCase();
  const found = [];
  for (const candidate of candidates) {
    const wanted = candidate.kind === "column" ? part : whole;
    if (wanted.length < 2) continue;
    const names = [candidate.title.toLowerCase(), candidate.value.toLowerCase()];
    if (candidate.kind === "column" && names[1] === wanted) continue;
    const rank = names.some((name) => name.startsWith(wanted)) ? 0 : names.some((name) => name.includes(wanted)) ? 1 : 2;
    if (rank < 2) found.push({ candidate, rank });
  }
  found.sort((one, other) => one.rank - other.rank);
  const counts = {};
  const few = found.filter(({ candidate }) => (counts[candidate.kind] = (counts[candidate.kind] ?? 0) + 1) <= PER_KIND);
  return few.slice(0, MOST).map(({ candidate }) => candidate);
}

// The framework notices a change of a field only when the browser's own setter made it.
function write(input, value) {
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(input, value);
  input.dispatchEvent(new Event("input", { bubbles: true }));
  input.focus();
  input.setSelectionRange(value.length, value.length);
}
