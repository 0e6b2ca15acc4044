"""YAML from a stranger cannot grow, run, or mean something else than it says."""

from __future__ import annotations

from cProfile import Profile

import pytest

from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.recipe.yaml_text import MAX_BYTES, parse_yaml, write_yaml
from tamis.data.errors import RecipeError

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + k)}: &{chr(98 + k)} [{', '.join(['*' + chr(97 + k)] * 9)}]\n" for k in range(8)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "anchor"),
        ("a: *b", "alias|undefined"),
        ("a: !!python/object/apply:os.system ['true']", "tag"),
        ("!!map {a: 1}", "tag"),
        ("a: !!binary aGk=", "tag"),
        ("a: !custom 1", "tag"),
        ("a: 1\na: 2", "twice"),
        ("s: [{a: 1, a: 2}]", "twice"),
        ("%YAML 1.1\n---\na: no", "directive"),
        ("%TAG ! tag:example.com,2000:\n---\na: 1", "directive"),
        ("a: 1\n---\nb: 2", "documents"),
        ("[" * 50 + "]" * 50, "nesting"),
        ("{a: " * 50 + "1" + "}" * 50, "nesting"),
        ("a: [" + "1," * 60_000 + "]", "too many"),
        ("a: " + "x" * (MAX_BYTES + 1), "too large"),
        ("- 1", "mapping"),
        ("", "mapping"),
        ("a: 'unclosed", "not readable"),
        ("a: b: c", "not readable"),
        ("\t- a", "not readable"),
        ("a: \x00", "not readable"),
        ("a: \x1b[31m", "not readable"),
        ("? [1, 2]\n: 3", "not readable|Unknown|mapping"),
    ],
)
def test_hostile_yaml_is_refused_quickly(text: str, message: str) -> None:
    with Profile(builtins=False) as work, pytest.raises(RecipeError, match=message):
        Recipe.from_dict(parse_yaml(text))
    calls = sum(entry.callcount for entry in work.getstats())
    assert calls < 10_000 + 200 * len(text), "refusal must not depend on what the document would grow to"


def test_words_mean_what_yaml_1_2_says() -> None:
    value = parse_yaml("a: no\nb: 1.10\nc: 12:30:45\nd: 0o17\ne: on\nf: true\ng: null\nh: 1e3")
    assert value == {"a": "no", "b": 1.1, "c": "12:30:45", "d": 15, "e": "on", "f": True, "g": None, "h": 1000.0}


def test_equal_parts_are_written_out_and_not_aliased() -> None:
    shared = ["a", "b"]
    text = write_yaml({"one": shared, "two": shared})
    assert text == "one: [a, b]\ntwo: [a, b]\n"


def test_block_text_and_order_of_keys_are_kept() -> None:
    value = {"z": 1, "a": "two\nlines\n", "list": [{"k": 1.0}]}
    assert write_yaml(value) == "z: 1\na: |\n  two\n  lines\nlist:\n  - k: 1\n"
    assert parse_yaml(write_yaml(value)) == value


def test_error_does_not_repeat_the_document() -> None:
    with pytest.raises(RecipeError) as caught:
        parse_yaml("secret: hunter2\nsecret: hunter3")
    assert "hunter" not in str(caught.value)
