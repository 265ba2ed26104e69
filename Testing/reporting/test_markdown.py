from __future__ import annotations

import re

from BrainSegAccelLib.reporting.markdown import bold, page, table
from hypothesis import given
from hypothesis import strategies as st


def cells(line: str) -> list[str]:
    """Cells of a row as a reader of Markdown sees them: a bar behind a backslash is a character."""
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_a_table_holds_its_texts_as_they_are() -> None:
    text = table(["case", "Dice"], [["a|b", "0.10"], ["two\nlines", ""]])
    assert text.splitlines()[1] == "| --- | --- |"
    assert [cells(line) for line in text.splitlines()[2:]] == [["a|b", "0.10"], ["two lines", ""]]


@given(st.lists(st.lists(st.text(alphabet="a|\n ", max_size=6), min_size=3, max_size=3)))
def test_no_text_ends_its_cell_or_its_row(rows: list[list[str]]) -> None:
    lines = table(["x", "y", "z"], rows).splitlines()
    assert len(lines) == 2 + len(rows)
    assert {len(cells(line)) for line in lines} == {3}


def test_an_empty_cell_is_not_bold() -> None:
    assert bold(["mean", ""]) == ["**mean**", ""]


def test_blocks_stand_apart_and_the_page_ends_with_a_line() -> None:
    assert page(["# Title", "text"]) == "# Title\n\ntext\n"
