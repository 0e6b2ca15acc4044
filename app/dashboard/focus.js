// Focus returns to where it was: when what has it leaves the page (a pane that closes, a list made anew), it goes to the
// same control, or to the one that was used before.

const REST = 120; // Milliseconds after a run until everything stands where it will.
const KEPT = 12; // Controls remembered, the last one first.
const HAND = 300; // Milliseconds in which a pointer or Tab explains that focus went away.
const CONTROLS = "button, a[href]"; // Fields open lists or take keys when they get focus, so they are left alone.
const seen = []; // Class names of controls, by their keys.
let held = null; // The element that has focus, or had it until it left the page.
let hand = 0;

function keepFocus() {
  let later = 0;
  document.addEventListener("pointerdown", () => (hand = Date.now()), true);
  document.addEventListener("keydown", (event) => { if (event.key === "Tab") hand = Date.now(); }, true);
  document.addEventListener("focusin", (event) => remember(event.target), true);
  document.addEventListener("focusout", () => { if (Date.now() - hand < HAND) held = null; }, true);
  new MutationObserver(() => {
    if (!held || held.isConnected) return;
    clearTimeout(later);
    later = setTimeout(restore, REST);
  }).observe(document.body, { childList: true, subtree: true });
}

function remember(element) {
  held = null;
  if (!element.matches?.(CONTROLS) && !element.shadowRoot) return;
  held = element;
  const box = element.closest?.("[class*='st-key-']");
  const name = box && [...box.classList].find((each) => each.startsWith("st-key-"));
  if (!name) return;
  const at = seen.indexOf(name);
  if (at >= 0) seen.splice(at, 1);
  seen.unshift(name);
  seen.length = Math.min(seen.length, KEPT);
}

function restore() {
  if (!held || held.isConnected || document.activeElement !== document.body) return;
  for (const name of seen) {
    const box = document.querySelector(`.${CSS.escape(name)}`);
    const control = box && (inside(box) ?? box.querySelector(CONTROLS));
    if (control && !control.disabled) {
      control.focus({ preventScroll: true });
      return;
    }
  }
}

// The control of a component with a tree of its own, such as the map.
function inside(box) {
  const root = [...box.querySelectorAll("*")].find((each) => each.shadowRoot)?.shadowRoot;
  return root ? root.querySelector("[tabindex='0']") : null;
}

keepFocus(); // Once for a page that is loaded.
