"""Answers of SmolLM2 to requests in the chat-completions batch form, on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterable

import torch

from tamis.analytics.signals.causal_model import SMOLLM2, load_model, model_path


def answered(requests: Iterable[str], *, most: int = 60) -> list[str]:
    """Return a line of the batch form for every request; the likeliest token each time, so always the same."""
    found = load_model(model_path(SMOLLM2))
    lines = []
    for line in requests:
        request = json.loads(line)
        prompt = found.tokenizer.apply_chat_template(
            request["body"]["messages"], tokenize=False, add_generation_prompt=True
        )
        read = torch.tensor([found.tokens(prompt)])
        end = found.tokenizer.convert_tokens_to_ids("<|im_end|>")
        with torch.inference_mode():
            said = found.model.generate(
                read, attention_mask=torch.ones_like(read), max_new_tokens=most, do_sample=False, eos_token_id=end,
                pad_token_id=end,
            )  # fmt: skip
        text = found.tokenizer.decode(said[0, read.shape[1] :], skip_special_tokens=True).strip()
        body = {"model": request["body"]["model"], "choices": [{"message": {"role": "assistant", "content": text}}]}
        lines.append(json.dumps({"custom_id": request["custom_id"], "response": {"status_code": 200, "body": body}}))
    return lines
