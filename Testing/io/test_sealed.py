"""Sealed files: opened if they are whole and what they should be, else refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.io.sealed import read_sealed, write_sealed


def test_content_comes_back(tmp_path: Path) -> None:
    content = bytes(range(256)) * 3
    write_sealed(tmp_path / "file", "thing", content)
    assert read_sealed(tmp_path / "file", "thing") == content
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    write_sealed(tmp_path / "file", "thing", b"content\nof two lines")
    whole = (tmp_path / "file").read_bytes()
    for bit in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        (tmp_path / "file").write_bytes(flipped)
        with pytest.raises(InputError, match=r"^file: is (no thing|damaged)[^\n]*$"):
            read_sealed(tmp_path / "file", "thing")


@pytest.mark.parametrize("length", [0, 5, 40, -1])
def test_a_file_that_was_cut_is_refused(tmp_path: Path, length: int) -> None:
    write_sealed(tmp_path / "file", "thing", b"content")
    (tmp_path / "file").write_bytes((tmp_path / "file").read_bytes()[:length])
    with pytest.raises(InputError, match=r"^file: is (no thing|damaged)"):
        read_sealed(tmp_path / "file", "thing")


def test_another_kind_or_no_file_is_refused(tmp_path: Path) -> None:
    write_sealed(tmp_path / "file", "thing", b"content")
    with pytest.raises(InputError, match="file: is no checkpoint of this version"):
        read_sealed(tmp_path / "file", "checkpoint")
    with pytest.raises(InputError, match=r"none: cannot be read \(No such file"):
        read_sealed(tmp_path / "none", "thing")
    (tmp_path / "text").write_text("x" * 5000)
    with pytest.raises(InputError, match="text: is no thing"):
        read_sealed(tmp_path / "text", "thing")
