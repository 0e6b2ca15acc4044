"""The styles of turns."""

from __future__ import annotations

from tamis.app.figures.role_colours import role_rules

_RULES = """
.tamis-turns {display: flex; flex-direction: column; gap: 10px;}
.tamis-turn {border-left: 3px solid var(--role); padding: 1px 0 1px 10px; min-width: 0;}
.tamis-turn .who {display: flex; align-items: baseline; gap: 7px; font-size: 0.8rem; line-height: 1.5;}
.tamis-turn .who b, .tamis-said > b {color: var(--role); font-weight: 650;}
.tamis-turn .who .n {color: light-dark(#5f6670, #a0a7ae); font-variant-numeric: tabular-nums; min-width: 0.9rem;}
.tamis-turn .who small {color: light-dark(#5f6670, #a0a7ae); font-size: 0.74rem;}
.tamis-pair {display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 182px), 1fr)); gap: 10px 16px;}
.tamis-pair .side {display: flex; flex-direction: column; gap: 8px; min-width: 0;}
b.tamis-differs {font-weight: 650; border-radius: 2px;
  background: color-mix(in srgb, var(--role, #6a46a8) 20%, transparent);}
.tamis-fold, .tamis-more {margin: 2px 0;}
.tamis-fold summary, .tamis-more summary {cursor: pointer; font-size: 0.8rem; line-height: 1.7; overflow-wrap: anywhere;
  color: light-dark(#50575f, #b0b6bc); border-radius: 3px;}
.tamis-fold summary b {color: light-dark(#1d2125, #e2e5e7); font-weight: 600;}
.tamis-fold summary bdi {opacity: 0.9;}
.tamis-fold[open] summary bdi {display: none;}
.tamis-fold summary:focus-visible, .tamis-more summary:focus-visible {outline: 2px solid light-dark(#0f766e, #4fc3b5);
  outline-offset: 1px;}
.tamis-fold[open] > .tamis-text {border-left: 1px dashed rgba(128, 128, 128, 0.5); padding-left: 9px;}
.tamis-fold.thinking > .tamis-text {color: light-dark(#50575f, #b0b6bc);}
.tamis-text.code {font-family: "Source Code Pro", ui-monospace, monospace; font-size: 0.8rem; line-height: 1.45;}
.tamis-image {display: inline-flex; gap: 7px; align-items: baseline; border: 1px dashed rgba(128, 128, 128, 0.6);
  border-radius: 4px; padding: 1px 8px; margin: 3px 6px 3px 0; font-size: 0.8rem; max-width: 100%;
  overflow-wrap: anywhere;}
.tamis-image b {font-weight: 600;}
.tamis-cut {margin-top: 8px;}
.tamis-card.turns {display: flex; flex-direction: column; gap: 3px;}
.tamis-said {display: flex; gap: 8px; align-items: baseline;}
.tamis-said > b {flex: none; min-width: 4.4rem; font-size: 0.76rem;}
.tamis-said > span {min-width: 0; unicode-bidi: plaintext;}
@media (max-width: 640px) {.tamis-said {flex-direction: column; gap: 0;}}
.tamis-roles {display: flex; flex-wrap: wrap; gap: 2px 18px; align-items: baseline; font-size: 0.86rem;
  font-variant-numeric: tabular-nums;}
.tamis-roles .tamis-said {gap: 5px; flex-direction: row;}
.tamis-roles .tamis-said > b {min-width: 0; font-size: inherit;}
.tamis-fault {color: light-dark(#a3271b, #ff9d92); font-size: 0.84rem; line-height: 1.4; overflow-wrap: anywhere;}
.tamis-rows {display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 0 10px;
  align-items: start;}
.tamis-row {border: 1px solid rgba(128, 128, 128, 0.25); border-radius: 6px; padding: 8px 12px; margin-bottom: 6px;}
.tamis-row > .nr {font-size: 0.78rem; color: light-dark(#5f6670, #a0a7ae); font-variant-numeric: tabular-nums;
  margin-bottom: 3px;}
"""


def turn_style() -> str:
    """Return the CSS rules of turns."""
    return f"{role_rules()}\n{_RULES}"
