import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from experiments.report.json_keys import KEYS, keys_page
from experiments.validation.comparison import Comparison
from experiments.validation.published_figures import published_figures

ROOT = Path(__file__).parents[3]
Groqrack = Callable[..., subprocess.CompletedProcess[str]]
TINY = ("--chips", "16", "--strategy", "tensor=8,pipeline=2")
# Of each document: commands that together have every key.
COMMANDS: dict[str, list[tuple[str, ...]]] = {
    "groqrack simulate --json, summary.json": [
        ("simulate", "--tokens", "1", "--prompt", "8", *TINY),
        ("simulate", "--workload", "gemm:64x64x64", "--tokens", "1"),
    ],
    "groqrack plan --json": [
        ("plan", "--chips", "2", "--strategy", "auto"),
        ("plan", *TINY),
    ],
    "groqrack collective --json": [("collective", "all-reduce", "--bytes", "320")],
    "groqrack execute --json": [
        ("execute", "--chips", "2", "--tokens", "1"),
        ("execute", "--workload", "gemm:8x8x8", "--tokens", "1"),
    ],
    "groqrack execute --collective --json": [
        ("execute", "--collective", "all-gather", "--bytes", "320", "--chips", "2")
    ],
    "groqrack topology --json": [("topology", "--chips", "72")],
}
# Lists whose objects have documented keys.
OPENED = ("buckets", "stages", "")


def leaves(document: Any, prefix: str = "") -> Iterator[str]:
    """Yield the keys of a document as the page writes them."""
    if isinstance(document, dict) and prefix != "inputs":
        for key, value in document.items():
            yield from leaves(value, f"{prefix}.{key}" if prefix else key)
    elif isinstance(document, list) and prefix in OPENED:
        for each in document:
            yield from leaves(each, f"{prefix}[]")
    else:
        yield prefix


def is_documented(key: str, keys: dict[str, str]) -> bool:
    return key in keys or f"{key.rpartition('.')[0]}.*" in keys


def test_every_key_is_documented_and_every_documented_key_is_there(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    for document, commands in COMMANDS.items():
        keys, seen = KEYS[document], set[str]()
        for command in commands:
            of_model = command[0] in ("simulate", "plan", "execute") and not {
                "--workload",
                "--collective",
            } & set(command)
            model = ("--model", str(tiny_config)) if of_model else ()
            seen |= set(leaves(json.loads(groqrack(*command, *model, "--json").stdout)))
        assert {key for key in seen if not is_documented(key, keys)} == set()
        unseen = {key for key in keys if key not in seen and not key.endswith(".*")}
        assert unseen == set(), document


def test_every_key_of_a_published_figure_is_documented() -> None:
    row = Comparison(published_figures()[0], 1)
    assert set(leaves([row.to_dict()])) == KEYS["groqrack validate --json"].keys()


def test_a_key_that_is_not_documented_is_seen() -> None:
    assert list(leaves({"a": {"b": 1}, "stages": [{"c": 2}], "list": [{"d": 3}]})) == [
        "a.b",
        "stages[].c",
        "list",
    ]
    assert not is_documented("a.c", {"a.b": "x"})
    assert is_documented("levels.local", {"levels.*": "x"})


def test_the_page_of_keys_is_up_to_date() -> None:
    page = ROOT / "docs" / "summary_keys.md"
    assert page.read_text(encoding="utf-8") == keys_page()
