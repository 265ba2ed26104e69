"""Write the files that Slicer packages into the module's CMakeLists.txt.

python tools/list_packaged_files.py
"""

from __future__ import annotations

import re
from pathlib import Path

MODULE = Path(__file__).resolve().parent.parent / "BrainSegAccel"
CMAKE_LISTS = MODULE / "CMakeLists.txt"
LISTS = ("MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES")


def packaged_files() -> dict[str, list[str]]:
    """Return scripts and resources of the tree, relative to the module, sorted."""
    files = [MODULE / "BrainSegAccel.py"]
    for folder in ("BrainSegAccelLib", "Resources"):
        files += [path for path in (MODULE / folder).rglob("*") if path.is_file()]
    names = sorted(
        path.relative_to(MODULE).as_posix()
        for path in files
        if path.suffix != ".pyc" and not path.name.startswith(".")
    )
    scripts = [name for name in names if name.endswith(".py")]
    return dict(zip(LISTS, (scripts, [n for n in names if n not in scripts]), strict=True))


def listed_files() -> dict[str, list[str]]:
    """Return scripts and resources that CMakeLists.txt lists."""
    text = CMAKE_LISTS.read_text(encoding="utf-8")
    return {name: _pattern(name).search(text)[2].split() for name in LISTS}


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(set\({name}\n)(.*?)(  \)\n)", re.DOTALL)


def main() -> None:
    """Rewrite both lists."""
    text = CMAKE_LISTS.read_text(encoding="utf-8")
    for name, files in packaged_files().items():
        lines = "".join(f"  {file}\n" for file in files)
        text = _pattern(name).sub(lambda match, lines=lines: match[1] + lines + match[3], text)
    CMAKE_LISTS.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
