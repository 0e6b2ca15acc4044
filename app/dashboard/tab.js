// Beside every page: Escape closes the innermost thing, a click on what leads somewhere opens it, a reload keeps the history,
// a lost server says what to do.

const EVERY = 3000;
const KEPT = "tamis-tab";
const OPEN = '[role="listbox"], [role="dialog"], [role="menu"], [data-testid="stPopoverBody"], [aria-expanded="true"][role="combobox"], #portal > *';
const GRID = '[data-testid="stDataFrame"]';
let failed = 0;

export default function (component) {
  const { data, setTriggerValue } = component;
  let open = false;
  const before = (event) => {
    if (event.key === "Escape") open = isOpen() || event.composedPath().some((at) => at.matches?.(GRID));
  };
  const escape = (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || open) return;
    const path = event.composedPath();
    if (path.some((node) => node.matches?.(".tamis-map"))) return; // It has its own Escape.
    const at = path[0];
    if (isField(at) && at.type !== "checkbox") {
      at.blur();
      return;
    }
    const button = data.closers.map((name) => document.querySelector(`.${name} button:not(:disabled)`)).find(Boolean);
    if (button) button.click();
  };
  const clicked = (event) => {
    const row = event.target instanceof Element ? event.target.closest("[data-open]") : null;
    if (row) setTriggerValue("open", row.dataset.open);
  };
  const watch = setInterval(() => look(data.health), EVERY);
  window.addEventListener("keydown", before, true);
  document.addEventListener("keydown", escape);
  document.addEventListener("click", clicked);
  keepHistory(data.tab, setTriggerValue);
  const forget = watchPictures();
  return () => {
    forget();
    clearInterval(watch);
    window.removeEventListener("keydown", before, true);
    document.removeEventListener("keydown", escape);
    document.removeEventListener("click", clicked);
  };
}

function isOpen() {
  return [...document.querySelectorAll(OPEN)].some((found) => found.getClientRects().length > 0);
}

function isField(at) {
  return at instanceof HTMLElement && (at.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(at.tagName));
}

// A reload starts a new session on the server; it is told the name of the one before, which holds the history.
function keepHistory(tab, setTriggerValue) {
  const before = sessionStorage.getItem(KEPT);
  if (before === tab) return;
  sessionStorage.setItem(KEPT, tab);
  if (before) setTriggerValue("before", before);
}

async function look(health) {
  try {
    const answer = await fetch(health, { cache: "no-store" });
    failed = answer.ok ? 0 : failed + 1;
  } catch {
    failed += 1;
  }
  const shown = document.getElementById("tamis-lost");
  if (failed < 2) {
    if (shown) shown.remove();
    return;
  }
  // The framework's own message says nothing of what to do.
  const dialogs = [...document.querySelectorAll('[role="dialog"]')];
  dialogs.find((found) => found.textContent.startsWith("Connection error"))?.querySelector("button")?.click();
  if (!shown) {
    const bar = document.createElement("div");
    bar.id = "tamis-lost";
    bar.setAttribute("role", "alert");
    bar.innerHTML = "The server does not answer, so nothing on this page works for now. Start it again with"
      + " <code>tamis serve</code>, or tell the person who runs it. The page goes on by itself when it is back.";
    document.body.append(bar);
  }
}
