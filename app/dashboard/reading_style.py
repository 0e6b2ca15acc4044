"""The styles of the command bar and the reader."""

from __future__ import annotations

NARROW = 700
"""Pixels below which the reader is a sheet over the page."""

READING = f"""
.st-key-command_bar {{margin-bottom: 2px;}}
.st-key-command_bar [data-testid="stForm"] {{padding: 0;}}
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
}}
"""
