"""How proxy models are stored: the state of one on its way, and the measured end of a trained one."""

from __future__ import annotations

from tamis.analytics.effect.proxy_training import ProxyState, ProxyTrial, saved_state
from tamis.data.artifact import Artifact
from tamis.data.artifact_writer import ArtifactWriter


def save_state(out: ArtifactWriter, state: ProxyState) -> None:
    """Write a state, then remove the one before; a run that is killed in between finds one of the two."""
    older, name = out.parts(), f"{state.step:09d}"
    out.write_json(f"way-{name}", {"step": state.step, "tokens": state.tokens, "losses": state.losses})
    out.write_array(f"weights-{name}", state.weights)
    for part in older:
        if not part.endswith(name):
            out.drop_part(part)


def last_state(out: ArtifactWriter) -> ProxyState | None:
    """Return the last whole state of an earlier writer, None without one."""
    for part in sorted(out.parts(), reverse=True):
        step = part.removeprefix("weights-")
        if step != part and out.has_part(f"way-{step}"):
            return saved_state(out.read_json(f"way-{step}"), out.read_array(part))
    return None


def write_trial(out: ArtifactWriter, trial: ProxyTrial) -> None:
    """Write a trained model's curve and scores in the place of the states on its way."""
    for part in out.parts():
        out.drop_part(part)
    out.write_json("curve", {"tokens": trial.tokens, "losses": trial.losses})
    out.write_array("bits", trial.bits)
    out.write_array("general_bits", trial.general_bits)


def read_trial(artifact: Artifact) -> ProxyTrial:
    """Return a trained model."""
    curve = artifact.json("curve")
    bits, general = artifact.array("bits"), artifact.array("general_bits")
    return ProxyTrial(tuple(curve["tokens"]), tuple(curve["losses"]), bits, general)
