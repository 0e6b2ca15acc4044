#!/usr/bin/env bash
# tokenizers 0.22.2: a document that mentions a special token gets the special token, and the switch against it reads as its opposite.
#
# Expected: with add_special_tokens=False no special token comes out of a text. Seen: that argument only leaves out those of the template; the letters
# "<eos>" in a document become the one number that ends documents, so a page about language models ends in its middle. What prevents it is the attribute
# encode_special_tokens = True, which encodes the letters as ordinary text; it is False by default and not part of the saved file, so a tokenizer that is
# loaded again has forgotten it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check tokenizers==0.22.2 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import tokenizers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

made = Tokenizer(models.BPE())
made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
made.decoder = decoders.ByteLevel()
trainer = trainers.BpeTrainer(
    vocab_size=300, special_tokens=["<eos>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
)
made.train_from_iterator(["the model ends a text with a mark of its own"] * 10, trainer)
text, end = "we end with <eos> here", made.token_to_id("<eos>")


def ends(tokenizer: Tokenizer) -> int:
    return tokenizer.encode(text, add_special_tokens=False).ids.count(end)


plain = ends(made)
made.encode_special_tokens = True
switched, same = ends(made), made.decode(made.encode(text, add_special_tokens=False).ids)
again = Tokenizer.from_str(made.to_str())
print("tokenizers", tokenizers.__version__, "| end tokens in the text: by default", plain, "| encode_special_tokens", switched, "| loaded again", ends(again))
assert (plain, switched, ends(again)) == (1, 0, 1)
assert same == text and again.encode_special_tokens is False
PYTHON
