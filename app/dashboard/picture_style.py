"""How pictures of the corpus look on every page."""

from __future__ import annotations

from tamis.app.server.lost_picture import LOST_STYLE

PAPER = "--picture-paper: light-dark(#d6dad9, #5f656a); --tile-paper: light-dark(#f1f3f2, #262c30);"
"""What stands behind transparent pixels, so that drawings in black and in white are seen, and around thumbnails."""

PICTURE_STYLE = f"""
:root {{{PAPER}}}
.tamis-figure {{margin: 0; display: flex; flex-direction: column; gap: 6px;}}
.tamis-figure > button {{all: unset; box-sizing: border-box; display: grid; place-items: center; width: 100%;
  min-height: var(--least, 240px); max-height: var(--tallest, 400px); overflow: auto; border-radius: 6px;
  cursor: zoom-in; background: var(--picture-paper);}}
.tamis-figure > button img {{display: block; max-width: 100%; max-height: var(--tallest, 400px);
  min-height: var(--least, 240px); object-fit: contain;}}
.tamis-figure > button[aria-pressed="true"] {{cursor: zoom-out; height: var(--tallest, 400px);}}
.tamis-figure > button[aria-pressed="true"] img {{max-width: none; max-height: none; min-height: 0;}}
.tamis-figure > button:not([data-zoom]) {{cursor: default;}}
{LOST_STYLE}
.tamis-figure .tamis-lost, .tamis-beside > div > .tamis-lost {{font-size: 0.9rem; padding: 16px;
  -webkit-line-clamp: 9;}}
.tamis-figure > button:focus-visible, .tamis-sheet button:focus-visible, .tamis-pictured button:focus-visible {{
  outline: 2px solid light-dark(#0f766e, #4fc3b5); outline-offset: 1px;}}
.tamis-figure figcaption {{font-size: 0.9rem; line-height: 1.45; overflow-wrap: anywhere; unicode-bidi: plaintext;}}
.tamis-sheet {{display: grid; grid-template-columns: repeat(auto-fill, minmax(var(--tile, 92px), 1fr)); gap: 6px;
  margin: 0 !important; padding: 0 !important; list-style: none;}}
.tamis-sheet > li {{margin: 0 !important; min-width: 0;}}
.tamis-sheet button, .tamis-pictured button {{all: unset; box-sizing: border-box; display: block; width: 100%;
  aspect-ratio: 1; border-radius: 5px; overflow: hidden; cursor: pointer; background: var(--tile-paper);}}
.tamis-sheet li > div {{aspect-ratio: 1; border-radius: 5px; overflow: hidden; background: var(--tile-paper);
  display: grid; place-items: center; font-size: 0.78rem; text-align: center; overflow-wrap: anywhere;}}
.tamis-sheet img, .tamis-pictured img {{display: block; width: 100%; height: 100%; object-fit: contain;}}
.tamis-sheet span {{display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: 0.78rem;
  line-height: 1.45; color: light-dark(#5f6670, #a9b0b7); unicode-bidi: plaintext;}}
.tamis-sheet button:hover, .tamis-pictured button:hover {{box-shadow: 0 0 0 2px light-dark(#0f766e, #4fc3b5);}}
.tamis-reasons {{grid-template-columns: minmax(0, 1fr) auto;}}
.tamis-pictured {{display: flex; gap: 10px; align-items: flex-start;}}
.tamis-pictured button {{flex: none; width: 72px;}}
.tamis-beside {{display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 10px;}}
.tamis-beside .tamis-muted {{margin-bottom: 3px;}}
.tamis-beside .tamis-figure > button, .tamis-beside > div > img {{height: 210px;}}
.tamis-beside .tamis-figure > button:not([aria-pressed="true"]) img {{width: 100%; height: 210px; min-height: 0;}}
.tamis-beside > div > img {{display: block; width: 100%; object-fit: contain; border-radius: 6px; background: #000000;}}
"""
