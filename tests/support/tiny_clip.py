"""A CLIP of a few thousand random numbers, made on the spot."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer


def write_tiny_clip(folder: Path) -> Path:
    """Write a model of pictures and texts with vectors of 16 numbers, whose tokens are letters."""
    letters = [chr(code) for code in range(33, 127)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = CLIPTokenizer(vocabulary, [])
    tokenizer.model_max_length = 32
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    begin, end = len(tokens) - 2, len(tokens) - 1
    texts = {"vocab_size": len(tokens), "max_position_embeddings": 32, "bos_token_id": begin, "eos_token_id": end}
    pictures = {"image_size": 32, "patch_size": 8}
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config=small | texts | {"pad_token_id": end}, vision_config=small | pictures, projection_dim=16
    )
    CLIPModel(config).save_pretrained(folder)
    seen = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(image_processor=seen, tokenizer=tokenizer).save_pretrained(folder)
    return folder
