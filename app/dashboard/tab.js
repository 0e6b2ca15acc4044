// Beside every page: a click on what leads somewhere opens it, a reload keeps the history, a lost server says what to do.

const EVERY = 3000;
const KEPT = "tamis-tab";
let failed = 0;

export default function (component) {
  const { data, setTriggerValue } = component;
  const clicked = (event) => {
    const row = event.target instanceof Element ? event.target.closest("[data-open]") : null;
    if (row) setTriggerValue("open", row.dataset.open);
  };
  const watch = setInterval(() => look(data.health), EVERY);
  document.addEventListener("click", clicked);
  keepHistory(data.tab, setTriggerValue);
  return () => {
    clearInterval(watch);
    document.removeEventListener("click", clicked);
  };
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
  } else if (!shown) {
    const bar = document.createElement("div");
    bar.id = "tamis-lost";
    bar.setAttribute("role", "alert");
    bar.innerHTML = "The server does not answer, so nothing on this page works for now. Start it again with"
      + " <code>tamis serve</code>, or tell the person who runs it. The page goes on by itself when it is back.";
    document.body.append(bar);
  }
}
