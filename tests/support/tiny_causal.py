"""A causal language model of a few thousand weights that has learnt which answer belongs to which prompt."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

ANSWERS = {"red": "apple is sweet", "blue": "berry is sour", "green": "leaf is bitter", "grey": "stone is cold"}
"""Prompt -> the answer that belongs to it."""


def tiny_model(folder: Path) -> Path:
    """Train the model on prompts with their answers, and on answers alone, and write it to a folder."""
    words = ["<s>", "<unk>", *sorted({word for pair in ANSWERS.items() for text in pair for word in text.split()})]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", unk_token="<unk>")
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
            max_position_embeddings=64, bos_token_id=0, eos_token_id=None, pad_token_id=None,
        )
    )  # fmt: skip
    read = torch.tensor([[0, *fast(f"{prompt} {answer}").input_ids] for prompt, answer in ANSWERS.items()])
    alone = torch.tensor([[0, *fast(answer).input_ids] for answer in ANSWERS.values()])
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(80):
        loss = sum(model(input_ids=part, labels=part).loss for part in (read, alone))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder
