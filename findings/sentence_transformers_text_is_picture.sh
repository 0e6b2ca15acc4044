#!/usr/bin/env bash
# sentence-transformers 6.2.0: a model of texts and pictures takes a text for a picture where it is the name of an existing file.
#
# Expected: a str is a text. Seen: the caption "cat.png" has the vector of the picture in the current folder where there is one of that name,
# and that of a text elsewhere, so vectors of captions depend on the folder. {"text": ...} stays a text.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check sentence-transformers==6.2.0 torch==2.13.0 pillow==13.0.0 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import os

os.environ |= {"HF_HUB_OFFLINE": "1"}

import numpy as np
import sentence_transformers
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, PreTrainedTokenizerFast


def make_model(folder):
    """Save a tiny CLIP model with chance weights."""
    words = Tokenizer(models.WordLevel({"[s]": 0, "[e]": 1, "[u]": 2, "cat": 3}, unk_token="[u]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(single="[s] $A [e]", special_tokens=[("[s]", 0), ("[e]", 1)])
    named = {"bos_token": "[s]", "eos_token": "[e]", "unk_token": "[u]", "pad_token": "[e]"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, model_max_length=77, **named)
    tower = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "projection_dim": 16}
    text = tower | {"vocab_size": 4, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    vision = tower | {"image_size": 32, "patch_size": 16}
    torch.manual_seed(0)
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)).save_pretrained(folder)
    CLIPProcessor(CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32), tokenizer).save_pretrained(folder)


make_model("model")
model = sentence_transformers.SentenceTransformer("model")
before = model.encode(["cat.png"])[0]
Image.new("RGB", (32, 32), "red").save("cat.png")
caption, text, picture = (model.encode([value])[0] for value in ("cat.png", {"text": "cat.png"}, Image.open("cat.png")))
seen = {"as before": np.allclose(caption, before), "as the picture": np.allclose(caption, picture)}
print("sentence-transformers", sentence_transformers.__version__, '| "cat.png" once there is such a file:', seen)
assert seen == {"as before": False, "as the picture": True}, seen
assert np.allclose(text, before) and not np.allclose(text, picture)
PYTHON
