// In place of a picture that cannot be shown: why, and what to do, in the words of the server.

async function sayLost(picture) {
  const said = document.createElement("span");
  said.className = "tamis-lost";
  said.textContent = "This picture cannot be shown.";
  picture.style.display = "none"; // No sign of a broken picture.
  picture.after(said);
  try {
    const answer = await fetch(picture.currentSrc || picture.src);
    if (!answer.ok) said.textContent = (await answer.json()).error;
  } catch {
    return; // The server is gone, which the page says itself.
  }
  said.title = said.textContent;
}
