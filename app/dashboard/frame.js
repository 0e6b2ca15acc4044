// Beside every page: `/` and Ctrl+K go to the command bar, `?` shows the keys, Escape closes the innermost thing first,
// and the browser stores the person's name.

const WAIT = 100;
const TRIES = 60;
const OPEN = '[role="listbox"], [role="menu"], [role="dialog"], [data-testid="stPopoverBody"]'; // These close themselves.
const CLOSES = [".st-key-reader-close button", ".st-key-rail-clear button"]; // What Escape presses, the first there is.

export default function (component) {
  const { data, setTriggerValue } = component;
  if (data.remember) {
    const name = encodeURIComponent(data.remember);
    document.cookie = `${data.cookie}=${name}; Path=/; Max-Age=31536000; SameSite=Strict`;
  }
  const pressed = (event) => {
    if (event.defaultPrevented || event.altKey) return;
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      toSearch(data.search);
    }
    if (event.ctrlKey || event.metaKey || isTyping(event)) return;
    if (event.key === "/") {
      event.preventDefault();
      toSearch(data.search);
    } else if (event.key === "?") {
      event.preventDefault();
      setTriggerValue("help", true);
    }
  };
  // Before anybody else hears of it: a list that closes is gone from the page when the event comes up again.
  const escaped = (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) closeInnermost(event);
  };
  document.addEventListener("keydown", pressed);
  document.addEventListener("keydown", escaped, true);
  return () => {
    document.removeEventListener("keydown", pressed);
    document.removeEventListener("keydown", escaped, true);
  };
}

function isTyping(event) {
  const at = event.composedPath()[0];
  return at instanceof HTMLElement && (at.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(at.tagName));
}

function closeInnermost(event) {
  const path = event.composedPath();
  if (document.querySelector(OPEN) || path.some((at) => at.classList?.contains("tamis-map"))) return;
  if (isTyping(event) && path[0].type !== "checkbox") {
    path[0].blur();
    return;
  }
  CLOSES.map((place) => document.querySelector(place)).find((button) => button && !button.disabled)?.click();
}

function toSearch(label) {
  let tries = 0;
  const look = () => {
    const found = document.querySelector(`input[aria-label="${CSS.escape(label)}"]`);
    if (found) {
      found.focus();
      found.select();
    } else if (tries++ < TRIES) {
      setTimeout(look, WAIT);
    }
  };
  look();
}
