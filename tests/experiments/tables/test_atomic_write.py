"""Atomic writes: whole files or none, and folders checked before the work."""

import gzip
from pathlib import Path

import pandas as pd
import pytest

from experiments.tables.atomic_write import (
    check_writable,
    csv_bytes,
    write_bytes,
    zipped,
)
from specs.errors import OutputError


def test_a_missing_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(OutputError, match=r"cannot write to .*a: File exists; choose"):
        check_writable(tmp_path / "a")


def test_a_file_is_replaced_and_its_path_returned(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    assert write_bytes(path, b"old") == path
    assert write_bytes(path, b"new") == path
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [
        ("a.csv", b"new")
    ]


def test_rows_of_a_csv_end_in_one_byte_and_missing_values_are_empty() -> None:
    table = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    assert csv_bytes(table) == b"a,b\n1,x\n2,\n"


def test_compressed_content_carries_no_time_of_writing() -> None:
    content = zipped(b"abc")
    assert gzip.decompress(content) == b"abc"
    # Bytes 4 to 7 of a gzip file are its time.
    assert content[4:8] == bytes(4)


def test_a_link_stays_and_the_file_that_it_names_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "there" / "a.csv")
    assert write_bytes(link, b"new") == link
    assert link.is_symlink()
    assert (tmp_path / "there" / "a.csv").read_bytes() == b"new"


def test_a_device_is_written_to_and_stays_a_device() -> None:
    null, full = Path("/dev/null"), Path("/dev/full")
    assert write_bytes(null, b"gone") == null
    with pytest.raises(OutputError, match="cannot write to /dev/full: No space left"):
        write_bytes(full, b"more than it takes")
    assert null.is_char_device()
    assert full.is_char_device()
