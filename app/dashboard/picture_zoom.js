// Pictures of the corpus on every page: a click or keys show a large one nearer, one that cannot be shown says so.

const STEP = 1.5;
const MOST = 64; // Times a picture is larger than it fits.
const LEAST_NEAR = 2.5; // A click makes small pictures so many times larger, others pixel for pixel.
const PAN = 60;

function watchPictures() {
  const clicked = (event) => {
    const button = framed(event.target);
    if (!button) return;
    const picture = button.querySelector("img");
    const near = Math.max(picture.naturalWidth / fit(button).width, LEAST_NEAR);
    zoom(button, button.dataset.scale > 1 ? 1 : near, event.detail ? [event.clientX, event.clientY] : null);
  };
  const pressed = (event) => {
    const button = framed(event.target);
    if (!button || event.ctrlKey || event.metaKey || event.altKey) return;
    const scale = Number(button.dataset.scale || 1);
    const to = { "+": scale * STEP, "=": scale * STEP, "-": scale / STEP, Escape: 1 }[event.key];
    const pan = { ArrowRight: [PAN, 0], ArrowLeft: [-PAN, 0], ArrowDown: [0, PAN], ArrowUp: [0, -PAN] }[event.key];
    if (event.key === "Escape" && scale === 1) return; // Closes what the picture is in.
    if (to) zoom(button, Math.min(MOST, Math.max(1, to)));
    else if (pan && scale > 1) button.scrollBy(...pan);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const lost = (event) => {
    const own = event.target instanceof HTMLImageElement && event.target.closest(".tamis-figure, .tamis-sheet, .tamis-pictured");
    if (!own) return;
    event.target.closest("[data-zoom]")?.removeAttribute("data-zoom");
    sayLost(event.target);
  };
  document.addEventListener("click", clicked);
  window.addEventListener("keydown", pressed, true);
  document.addEventListener("error", lost, true);
  return () => {
    document.removeEventListener("click", clicked);
    window.removeEventListener("keydown", pressed, true);
    document.removeEventListener("error", lost, true);
  };
}

function framed(target) {
  return target instanceof Element ? target.closest("[data-zoom]") : null;
}

// The size of a picture as it fits into its frame.
function fit(button) {
  const { width, height } = button.querySelector("img").getBoundingClientRect();
  const scale = Number(button.dataset.scale || 1);
  return { width: width / scale, height: height / scale };
}

// Shows a picture so many times as large as it fits; what was below the pointer, else in the middle, stays there.
function zoom(button, scale, pointer) {
  const picture = button.querySelector("img");
  const [frame, box, own] = [button.getBoundingClientRect(), picture.getBoundingClientRect(), fit(button)];
  const [x, y] = pointer || [frame.left + frame.width / 2, frame.top + frame.height / 2];
  const place = [(x - box.left) / box.width, (y - box.top) / box.height];
  button.dataset.scale = scale;
  button.setAttribute("aria-pressed", String(scale > 1));
  picture.style.width = scale > 1 ? `${own.width * scale}px` : "";
  picture.style.height = scale > 1 ? `${own.height * scale}px` : "";
  picture.style.imageRendering = own.width * scale > picture.naturalWidth ? "pixelated" : "";
  const now = picture.getBoundingClientRect();
  button.scrollLeft += now.left + place[0] * now.width - x;
  button.scrollTop += now.top + place[1] * now.height - y;
}
