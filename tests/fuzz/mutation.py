"""Structured mutation: trees, tables and bytes with faults that people and tools make.

A case is a tree (dicts, lists and plain values, as JSON and TOML give them) and a list
of mutations, each of them a pure function of a tree. The same random numbers give the
same case, and a finding is made smaller by leaving mutations and values out.
"""

import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Path = tuple[Any, ...]
Words = Mapping[str, Sequence[Any]]

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 0.5, -0.0, 1e-300, 1e308, 10**15, 10**30),
    *(2**31, 2**63, 2**64, float("nan"), float("inf"), -float("inf")),
    *("", " ", "auto", "\x00", "日" * 50, "x" * 2000, "-1", "nan", "1e400", "../.."),
    *([], {}, [[]], ["a"], [1, 2], {"a": {"b": [1]}}, {"": 0}),
)
_FACTORS = (-1, 0.5, 2, 3, 10, 1000, 10**6, 10**12)
_STEPS = (-1, 1, 0.25)
_DEEP = 60


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path to every value inside a tree, its own first."""
    yield path
    inner: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(value, dict):
        inner = iter(list(value.items()))
    elif isinstance(value, list):
        inner = iter(list(enumerate(value)))
    for key, each in inner:
        yield from places(each, (*path, key))


def at(tree: Any, path: Path) -> Any:
    """Return the value at a path of a tree."""
    for key in path:
        tree = tree[key]
    return tree


def replaced(tree: Any, path: Path, value: Any) -> Any:
    """Return a tree with another value at a path."""
    holder: dict[str, Any] = {"": copy.deepcopy(tree)}
    *front, last = ("", *path)
    at(holder, tuple(front))[last] = value
    return holder[""]


def without(tree: Any, path: Path) -> Any:
    """Return a tree without the value at a path, which is not the whole."""
    made = copy.deepcopy(tree)
    del at(made, path[:-1])[path[-1]]
    return made


def mutated(tree: Any, draw: random.Random, words: Words) -> Any:
    """Return a tree with one fault, or with another value that may well be right.

    Parameters
    ----------
    tree
        Tree, which is left as it is.
    draw
        Random numbers.
    words
        Values that mean something, by key: they lead behind the first checks.
    """
    path = draw.choice(list(places(tree)))
    value = at(tree, path)
    choice = draw.random()
    if choice < 0.25 and words:
        return _with_word(tree, path, draw, words)
    if choice < 0.5 and _is_number(value):
        return replaced(tree, path, _near(value, draw))
    if choice < 0.75 and path:
        return _with_other_key(tree, path, draw, words)
    return replaced(tree, path, _other(tree, value, draw))


def _with_other_key(tree: Any, path: Path, draw: random.Random, words: Words) -> Any:
    """Return a tree with a key left out, misspelt, or with a value it often has."""
    key = next((k for k in reversed(path) if isinstance(k, str)), "")
    choice = draw.randrange(3)
    if choice == 0 and key in words:
        return replaced(tree, path, copy.deepcopy(draw.choice(words[key])))
    if choice == 1 and isinstance(path[-1], str):
        new = (*path[:-1], _misspelt(key, draw))
        return replaced(without(tree, path), new, at(tree, path))
    return without(tree, path)


def _other(tree: Any, value: Any, draw: random.Random) -> Any:
    """Return a value that makes no sense in a place, or sense somewhere else."""
    choice = draw.randrange(6)
    if choice == 0 and isinstance(value, list) and value:
        return [*value, copy.deepcopy(draw.choice(value))]
    if choice == 1 and isinstance(value, list):
        return draw.sample(value, len(value))
    if choice == 2:
        return copy.deepcopy(at(tree, draw.choice(list(places(tree)))))
    if choice == 3 and draw.random() < 0.2:
        return _nested(value)
    return copy.deepcopy(draw.choice(ODD))


def _with_word(tree: Any, path: Path, draw: random.Random, words: Words) -> Any:
    """Return a tree with a key that means something put into a table of it."""
    word = draw.choice(sorted(words))
    *tables, last = word.split(".")
    made = copy.deepcopy(tree)
    holder = at(made, path)
    if not isinstance(holder, dict) or tables:
        holder = made
    for table in tables:
        if not isinstance(holder, dict):
            return made
        holder = holder.setdefault(table, {})
    if isinstance(holder, dict):
        holder[last] = copy.deepcopy(draw.choice(words[word]))
    return made


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _near(value: float, draw: random.Random) -> float:
    """Return a number beside another one, or far from it in the same digits."""
    if draw.random() < 0.5:
        return value + draw.choice(_STEPS)
    try:
        return type(value)(value * draw.choice(_FACTORS))
    except (OverflowError, ValueError):
        return 0


def _misspelt(word: str, draw: random.Random) -> str:
    """Return a key with a letter left out, doubled or in capitals."""
    if not word:
        return "x"
    place = draw.randrange(len(word))
    letter = draw.choice(["", word[place] * 2, word[place].upper(), "-"])
    return word[:place] + letter + word[place + 1 :]


def _nested(value: Any) -> Any:
    """Return a value in lists that lie in each other."""
    for _ in range(_DEEP):
        value = [value]
    return value


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Return bytes with flips, a cut, a doubled part, a mark, or another encoding."""
    made = bytearray(content)
    choice = draw.randrange(6)
    if choice == 0 and made:
        for _ in range(draw.randint(1, 4)):
            made[draw.randrange(len(made))] = draw.randrange(256)
    elif choice == 1 and made:
        del made[draw.randrange(len(made)) :]
    elif choice == 2 and made:
        begin = draw.randrange(len(made))
        part = made[begin : begin + draw.randint(1, 200)]
        made[begin:begin] = part * draw.choice([1, 2, 500])
    elif choice == 3:
        made[0:0] = draw.choice([b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\n" * 9])
    elif choice == 4:
        codec = draw.choice(["utf-16", "utf-16-be", "latin-1", "utf-32"])
        return content.decode("utf-8", "replace").encode(codec, "replace")
    elif made:
        place = draw.randrange(len(made))
        made[place:place] = draw.choice([b"9" * 5000, b"[" * 3000, b"{" * 9, b'"'])
    return bytes(made)


def smaller(tree: Any, is_one: Callable[[Any], bool], tries: int = 200) -> Any:
    """Return a tree from which nothing can be left out without losing a finding.

    Parameters
    ----------
    tree
        Tree that shows the finding.
    is_one
        Whether a tree still shows it.
    tries
        Trees that are looked at, at most.
    """
    again = True
    while again:
        again = False
        for path in sorted(places(tree), key=len):
            if not path or tries <= 0:
                continue
            candidate = without(tree, path)
            tries -= 1
            if is_one(candidate):
                tree, again = candidate, True
                break
    return tree
