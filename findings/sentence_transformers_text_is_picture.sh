#!/usr/bin/env bash
# sentence-transformers 6.2.0: a model of texts and pictures takes a text that looks like the address of a picture for the picture.
#
# Expected: a str is a text. Seen: "cat.png" is read from the current folder where there is such a file, and "http://.../a.png" is fetched
# from the network: encoding captions or search words of others opens files and addresses that they name. {"text": ...} stays a text.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check sentence-transformers==6.2.0 torch==2.13.0 pillow==13.0.0 requests==2.34.2 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import http.server
import os
import threading
from pathlib import Path

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


class Pictures(http.server.BaseHTTPRequestHandler):
    asked = []

    def do_GET(self):
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(Path("cat.png").read_bytes())


make_model("model")
Image.new("RGB", (32, 32), "red").save("cat.png")
server = http.server.HTTPServer(("127.0.0.1", 0), Pictures)
threading.Thread(target=server.serve_forever, daemon=True).start()
model = sentence_transformers.SentenceTransformer("model")
caption, address, text, picture = (
    model.encode([value])[0]
    for value in ("cat.png", f"http://127.0.0.1:{server.server_port}/a.png", {"text": "cat.png"}, Image.open("cat.png"))
)
print("sentence-transformers", sentence_transformers.__version__, "| asked of the server:", Pictures.asked)
assert Pictures.asked == ["/a.png"], Pictures.asked
assert np.allclose(caption, picture) and np.allclose(address, picture) and not np.allclose(text, picture)
PYTHON
