"""Input files: regular ones alone, in an encoding that is told from their bytes."""

import os
from pathlib import Path

import pytest

from specs.errors import SpecError
from specs.input_files import check_file, is_there, read_text, shortened, shown
from specs.validation import read_mapping


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_is_read_in_the_encoding_that_its_mark_tells(
    tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("source,ü\n0,1\n".encode(encoding))
    assert read_text(path) == "source,ü\n0,1\n"


def test_another_encoding_is_refused_by_its_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("a,b\n0,1\nlökal,2\n".encode("latin-1"))
    with pytest.raises(SpecError, match=r"a\.csv: row 3: not UTF-8 \(byte 0xf6\)"):
        read_text(path)


def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    for path, kind in (
        (tmp_path / "pipe.toml", "a pipe"),
        (tmp_path, "a folder"),
        (Path("/dev/zero"), "a device"),
    ):
        with pytest.raises(SpecError, match=f"{path}: is {kind}; give a regular file"):
            read_mapping(path)


def test_a_file_of_more_bytes_than_it_may_have_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"12345")
    check_file(path, 5)
    with pytest.raises(SpecError, match=r"a\.onnx: has 5 bytes, .* at most 4; is it"):
        check_file(path, 4)


def test_a_file_that_is_not_there_is_named_with_the_folder(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=f"no file .*looked in {tmp_path}"):
        read_text(tmp_path / "a.toml")


def test_a_name_that_no_file_can_have_is_refused_in_a_line() -> None:
    long, nul = Path("m" * 5000), Path("a\0b")
    assert not is_there(long)
    assert not is_there(nul)
    for path in (long, nul):
        with pytest.raises(SpecError, match="no file can have the name") as refused:
            read_text(path)
        assert len(shown(path)) < 120
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "[" * 100_000, "too deep"),
        ("a.toml", "a = " + "[" * 100_000, "too deep"),
        ("a.json", '{"a": ' + "1" * 5000 + "}", "Exceeds the limit .*digits"),
        ("a.toml", "a = " + "1" * 5000, "Exceeds the limit .*digits"),
    ],
)
def test_content_that_no_parser_takes_is_refused(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(SpecError, match=message):
        read_mapping(path)


def test_a_long_value_is_cut_in_a_message() -> None:
    assert shortened("a" * 20) == "a" * 20
    assert shortened("a" * 400) == f"{'a' * 80}... (400 letters)"
