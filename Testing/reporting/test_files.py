from __future__ import annotations

import json
from pathlib import Path

import pytest
from BrainSegAccelLib.reporting.files import write_report
from pydantic import BaseModel


class Report(BaseModel):
    name: str


def test_data_page_and_picture_lie_side_by_side(tmp_path: Path) -> None:
    place = tmp_path / "found.1"
    files = write_report(Report(name="ä"), "# A\n", place, lambda path: path.write_bytes(b"PNG"))
    assert [file.name for file in files] == ["found.1.json", "found.1.md", "found.1.png"]
    assert json.loads(files[0].read_text("utf-8")) == {"name": "ä"}
    assert files[1].read_text() == "# A\n"
    assert sorted(tmp_path.iterdir()) == files


def test_without_a_picture_there_are_two(tmp_path: Path) -> None:
    assert len(write_report(Report(name=""), "", tmp_path / "found")) == 2


def test_nothing_is_in_place_until_all_is_written(tmp_path: Path) -> None:
    def fail(_: Path) -> None:
        raise RuntimeError("cannot draw")

    with pytest.raises(RuntimeError, match="cannot draw"):
        write_report(Report(name="a"), "", tmp_path / "found", fail)
    assert list(tmp_path.iterdir()) == []
