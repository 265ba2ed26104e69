"""Pages and tables in Markdown.

No library: tabulate and py-markdown-table leave a ``|`` as it is, break rows at line ends, take
texts for numbers ("0.10" becomes 0.1) unless told not to, and pad columns, so that one longer cell
changes every line of a page that is kept under version control.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Row = Sequence[str]


def table(columns: Row, rows: Iterable[Row]) -> str:
    """Return a table of plain texts; one that would end its cell or its row does not."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def bold(row: Row) -> list[str]:
    """Return a row that stands out."""
    return [f"**{cell}**" if cell else "" for cell in row]


def page(blocks: Iterable[str]) -> str:
    """Return headings, paragraphs and tables as one document."""
    return "\n\n".join(blocks) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.splitlines()).replace("|", "\\|")
