// Beside every page: `/` and Ctrl+K go to the command bar, `?` shows the keys, and the browser stores the person's name.

const WAIT = 100;
const TRIES = 60;

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
    } else if (event.key === "M" && event.shiftKey) {
      document.querySelector(".st-key-rail-cap-open button")?.click();
    } else if (event.key === "?") {
      event.preventDefault();
      setTriggerValue("help", true);
    }
  };
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}

function isTyping(event) {
  const at = event.composedPath()[0];
  return at instanceof HTMLElement && (at.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(at.tagName));
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
