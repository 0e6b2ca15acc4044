"""The styles of the command bar and the reader."""

from __future__ import annotations

NARROW = 700
"""Pixels below which the reader is a sheet over the page."""

READING = f"""
.st-key-frame, .st-key-tab {{position: absolute;}}
.st-key-command_bar {{margin-bottom: 2px;}}
.st-key-command_bar [data-testid="stForm"] {{padding: 0;}}
.st-key-command_bar {{position: relative;}}
:has(> .st-key-command_suggest) {{position: absolute; top: 0; left: 0; width: 0; height: 0; z-index: 1000;}}
.tamis-suggest {{position: absolute; padding: 4px; border-radius: 6px; font-size: 0.9rem; max-height: 330px;
  overflow-y: auto; background: light-dark(#ffffff, #1d2226); color: light-dark(#1d2125, #e2e5e7);
  border: 1px solid rgba(128, 128, 128, 0.35); box-shadow: 0 6px 20px rgba(0, 0, 0, 0.18);}}
.tamis-suggest[hidden] {{display: none;}}
.tamis-suggest > div {{display: flex; justify-content: space-between; gap: 12px; align-items: baseline;
  padding: 5px 9px; border-radius: 4px; cursor: pointer; min-height: 24px;}}
.tamis-suggest > div:hover {{background: rgba(128, 128, 128, 0.14);}}
.tamis-suggest > div[aria-selected="true"] {{background: light-dark(#d8e9e7, #20423f);
  outline: 1px solid light-dark(#0f766e, #4fc3b5);}}
.tamis-suggest bdi {{overflow: hidden; text-overflow: ellipsis; white-space: nowrap;}}
.tamis-suggest small {{color: light-dark(#50575f, #b0b6bc); flex: none;}}
.tamis-said-to-readers {{position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap;}}
.st-key-command_readings {{font-size: 0.85rem; row-gap: 0;}}
.tamis-wrong {{color: light-dark(#a3231c, #ff9d94); font-size: 0.88rem; white-space: pre-wrap;
  overflow-wrap: anywhere;}}
.tamis-wrong::before {{content: "Not done: "; font-weight: 600;}}
.tamis-meaning {{font-size: 0.9rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere;}}
.tamis-meaning b {{font-weight: 650;}}
.tamis-why {{font-size: 0.92rem; line-height: 1.45; padding: 5px 9px; border-radius: 4px; overflow-wrap: anywhere;
  border-left: 3px solid #2c7fb8; background: rgba(44, 127, 184, 0.09);}}
.tamis-why.dropped {{border-left-color: #d95f0e; background: rgba(217, 95, 14, 0.1);}}
.tamis-twins {{display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 210px), 1fr)); gap: 6px 14px;}}
.tamis-twins .tamis-text {{max-height: 260px; overflow: auto; font-size: 0.84rem;}}
@media (max-width: {NARROW}px) {{
  .st-key-command-text {{order: -1; flex: 1 1 100% !important; width: 100% !important;}}
  .st-key-command-kind, .st-key-command-how, .st-key-command-scope {{flex: 1 1 80px !important;
    width: auto !important;}}
  .st-key-reader {{position: fixed !important; left: 0; right: 0; bottom: 0; z-index: 999990; height: 82vh !important;
    width: 100vw !important; border-radius: 12px 12px 0 0; background: light-dark(#fdfdfc, #14171a);
    box-shadow: 0 -6px 26px rgba(0, 0, 0, 0.3);}}
  .st-key-reader_tools {{position: sticky; top: 0; z-index: 2; background: light-dark(#fdfdfc, #14171a);}}
  .st-key-review_choices [data-testid="stHorizontalBlock"] {{flex-wrap: nowrap; gap: 8px;}}
  .st-key-review_choices [data-testid="stColumn"] {{min-width: 0 !important; flex: 1 1 0 !important;}}
  .st-key-review_choices [data-testid="stColumn"]:last-child {{flex: 0 0 96px !important;}}
  .st-key-review_choices [data-testid="stColumn"]:not(:has([data-testid="stElementContainer"])) {{display: none;}}
  .st-key-review_buttons {{position: sticky; top: 0; z-index: 3; gap: 4px 8px; padding: 4px 0;
    background: light-dark(#fdfdfc, #14171a);}}
  .st-key-review_buttons :is([class*="review-document-"], [class*="review-pair-"]) {{flex: 1 1 28%;
    width: auto !important;}}
  .st-key-review_buttons button {{min-height: 44px;}}
  .st-key-review_buttons :is([class*="review-document-"], [class*="review-pair-"]) button {{width: 100%;}}
}}
@media (hover: none) {{.st-key-review_buttons kbd {{display: none;}}}}
"""
