from pathlib import Path

import pytest
from pydantic import Field

from specs.errors import SpecError
from specs.validation import Spec, build, read_mapping


class Inner(Spec):
    """A table with one number."""

    size: int = Field(gt=0)


class Outer(Spec):
    """A table, a number with a default, and a switch."""

    inner: Inner
    share: float = 0.5
    on: bool = False
    more: list[Inner] = Field(default_factory=list)


def test_a_mapping_becomes_a_frozen_value() -> None:
    value = build(Outer, {"inner": {"size": 3}, "on": True}, "mine")
    assert value == Outer(inner=Inner(size=3), share=0.5, on=True)
    with pytest.raises(ValueError, match="frozen"):
        value.share = 1.0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "mine: key 'inner' is missing"),
        ({"inner": {}}, "mine: key 'inner.size' is missing"),
        (
            {"inner": {"size": 1, "sise": 2}},
            "mine: [inner] has no key 'sise'; did you mean 'size'?",
        ),
        (
            {"inner": {"size": 1}, "shore": 1},
            "mine: there is no key 'shore'; did you mean 'share'?",
        ),
        ({"inner": {"size": 0}}, "mine: inner.size = 0: must be greater than 0"),
        ({"inner": {"size": True}}, "mine: inner.size = True: must be a number"),
        (
            {"inner": {"size": 1}, "share": float("inf")},
            "mine: share = inf: must be a finite number",
        ),
        (
            {"inner": {"size": 1}, "more": [{"size": 1}, {"size": 0}]},
            "mine: more.1.size = 0: must be greater than 0",
        ),
        (
            {"inner": {"size": 1}, "more": [{"size": 1, "sise": 2}]},
            "mine: [more.0] has no key 'sise'; did you mean 'size'?",
        ),
        (
            {"inner": {"size": 0}, "share": True},
            "mine: inner.size = 0: must be greater than 0; "
            "share = True: must be a number",
        ),
    ],
)
def test_a_refusal_names_every_key_its_value_and_the_remedy(
    content: dict[str, object], message: str
) -> None:
    with pytest.raises(SpecError) as refused:
        build(Outer, content, "mine")
    assert str(refused.value) == message


def test_a_default_is_validated_too() -> None:
    class Wrong(Spec):
        size: int = Field(default=0, gt=0)

    with pytest.raises(SpecError, match="size = 0: must be greater than 0"):
        build(Wrong, {}, "mine")


@pytest.mark.parametrize(
    ("name", "text"), [("a.toml", "size = 3\n"), ("a.json", '{"size": 3}')]
)
def test_a_file_is_read_by_its_suffix(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert read_mapping(path) == {"size": 3}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", '{"size": 3}', r"a\.toml: not valid TOML: "),
        ("a.json", '{"size": 3', r"a\.json: not valid JSON at line 1, column 11"),
        ("a.json", "3", r"a\.json: holds a int, expected keys"),
    ],
)
def test_a_file_without_keys_is_refused(
    name: str, text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=message):
        read_mapping(path)


def test_a_missing_file_is_refused_with_its_folder(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as refused:
        read_mapping(tmp_path / "gone.toml")
    assert (
        str(refused.value) == f"no file {tmp_path / 'gone.toml'} (looked in {tmp_path})"
    )


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "marked.json"
    path.write_bytes(b'\xef\xbb\xbf{"layers": 3}')
    assert read_mapping(path) == {"layers": 3}
