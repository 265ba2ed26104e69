"""The rules by which Slicer's Extensions Index takes an extension, for a clone of its repository.

They are those that the Index's own checks apply to a submission (github.com/Slicer/ExtensionsIndex:
``scripts/check_description_files.py``, ``.prettierrc.js`` and the checklist of its pull requests)
and the schema of the catalogue entry (github.com/Slicer/Slicer: ``Schemas``), as of August 2026, as
far as files can show them. The Index downloads icon and screenshots; here, their addresses have to
lead to files of the clone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

LARGEST_MIB = 100
LICENCE_FILES = ("LICENSE", "LICENCE", "LICENSE.txt", "COPYING", "COPYING.txt")
CATEGORIES = ("Segmentation", "Neuroimaging", "Quantification", "Analysis", "Active Learning")
"""Those of the Index's some sixty that a network for segmentation could stand under."""
SCHEMA = re.compile(
    r"https://raw\.githubusercontent\.com/Slicer/Slicer/main/Schemas/"
    r"slicer-extension-catalog-entry-schema-v1\.0\.[12]\.json#?"
)
PICTURE_STARTS = {
    ".png": b"\x89PNG\r\n\x1a\n",
    ".jpg": b"\xff\xd8\xff",
    ".jpeg": b"\xff\xd8\xff",
    ".gif": b"GIF8",
}
_RAW = "raw.githubusercontent.com"
_MEBI = 2**20


class CatalogueEntry(BaseModel):
    """The JSON file that is submitted; its name is that of the extension."""

    model_config = ConfigDict(extra="forbid", strict=True)

    schema_url: str = Field(alias="$schema")
    category: str
    scm_url: str
    scm_revision: str = ""
    scm_type: Literal["git", "local"] = "git"
    build_dependencies: list[str] = []
    build_subdirectory: str = "."
    dicom_support_rule: str = ""
    enabled: bool = True
    tier: Literal[1, 3, 5] = 1

    @property
    def repository(self) -> str:
        """Address of the repository's page, without ``.git``."""
        return self.scm_url.strip().rstrip("/").removesuffix(".git")


class BrokenRuleError(Exception):
    """A rule does not hold; the message says what is wrong and what would be right."""


@dataclass(frozen=True)
class Clone:
    """A clone of the extension's repository at the revision of its entry.

    :param folder: with ``.git`` in it.
    :param name: of the extension.
    """

    folder: Path
    name: str

    @property
    def entry_file(self) -> Path:
        """The catalogue entry, which the Index wants as a file of its own."""
        return self.folder / f"{self.name}.json"

    @cached_property
    def entry(self) -> CatalogueEntry:
        """The catalogue entry.

        :raises BrokenRuleError: there is none, or it is not as its schema says.
        """
        try:
            return CatalogueEntry.model_validate_json(_read(self.entry_file))
        except ValidationError as error:
            first = error.errors()[0]
            at = ".".join(str(part) for part in first["loc"]) or "file"
            raise BrokenRuleError(f"{self.entry_file.name}: {at}: {first['msg']}") from error

    @cached_property
    def cmake(self) -> dict[str, str]:
        """What the top CMakeLists.txt sets, by name, and ``project``.

        :raises BrokenRuleError: there is none.
        """
        text = _read(self.folder / "CMakeLists.txt").decode("utf-8", "replace")
        found = dict(re.findall(r'set\s*\(\s*(EXTENSION_\w+)\s+"([^"]*)"\s*\)', text))
        project = re.search(r"project\s*\(\s*([^\s)]+)", text, re.IGNORECASE)
        return found | ({"project": project[1].strip("\"'")} if project else {})

    def setting(self, name: str) -> str:
        """Return what CMakeLists.txt sets.

        :raises BrokenRuleError: nothing.
        """
        found = self.cmake.get(name, "").strip()
        if not found:
            raise BrokenRuleError(f"CMakeLists.txt sets no {name}")
        return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BrokenRuleError(
            f"{path.name} cannot be read ({error.strerror}): it belongs in the repository's root"
        ) from error


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BrokenRuleError(otherwise)


def size(clone: Clone) -> str:
    """All files together, the history among them."""
    found = sum(path.stat().st_size for path in clone.folder.rglob("*") if path.is_file()) / _MEBI
    said = f"{found:.1f} of {LARGEST_MIB} MiB with its history"
    _demand(found <= LARGEST_MIB, said)
    return f"{said}, {LARGEST_MIB - found:.1f} to spare"


def licence(clone: Clone) -> str:
    """A licence file, and its licence named on the home page."""
    there = [name for name in LICENCE_FILES if (clone.folder / name).is_file()]
    _demand(bool(there), f"the root has none of {', '.join(LICENCE_FILES)}")
    text = (clone.folder / there[0]).read_text("utf-8", "replace")
    known = re.search(r"Apache|MIT License|BSD", text)
    _demand(known is not None, f"{there[0]} is neither Apache, MIT nor BSD")
    name = known[0].split()[0] if known else ""
    _demand(name in _home_page(clone), f"README.md does not name the licence, {name}")
    return f"{name}, in {there[0]}"


def entry(clone: Clone) -> str:
    """Keys and values as the schema that the entry names says."""
    schema = clone.entry.schema_url
    _demand(SCHEMA.fullmatch(schema) is not None, f"$schema {schema!r} is not one of Slicer's")
    return f"{clone.entry_file.name} as its schema says"


def entry_format(clone: Clone) -> str:
    """One value a line, indented by two, as the Index's formatter leaves it."""
    text = _read(clone.entry_file)
    try:
        form = json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
    except ValueError as error:
        raise BrokenRuleError(f"{clone.entry_file.name} is not JSON: {error}") from error
    _demand(text == form.encode(), f"{clone.entry_file.name} is not LF, indent 2, a value a line")
    return "LF, indent 2, a value a line"


def line_ends(clone: Clone) -> str:
    """LF in every text file."""
    count = 0
    for path in sorted(clone.folder.rglob("*")):
        if (
            path.is_symlink()
            or not path.is_file()
            or ".git" in path.parts[len(clone.folder.parts) :]
        ):
            continue
        content = path.read_bytes()
        if b"\0" in content[:8000]:  # By which git, too, tells binary files.
            continue
        _demand(b"\r\n" not in content, f"{path.relative_to(clone.folder)} has CRLF")
        count += 1
    return f"LF in {count} text files"


def name(clone: Clone) -> str:
    """That of the project in CMake, and not one of the many that begin with Slicer."""
    _demand(not clone.name.lower().startswith("slicer"), f"{clone.name} begins with Slicer")
    project = clone.setting("project")
    _demand(project == clone.name, f"project({project}) in CMakeLists.txt, {clone.name}.json")
    return clone.name


def repository(clone: Clone) -> str:
    """Slicer and the extension's name, at an address that git takes."""
    url = urlsplit(clone.entry.scm_url)
    _demand(url.scheme in ("git", "https"), f"scm_url {clone.entry.scm_url!r} is not git or https")
    found = clone.entry.repository.rpartition("/")[2]
    allowed = [f"Slicer{between}{clone.name}" for between in ("", "-", "_")]
    _demand(found in allowed, f"the repository is called {found!r}, not {allowed[0]}")
    return clone.entry.repository


def revision(clone: Clone) -> str:
    """The published branch: what names a commit has to be submitted again for each change."""
    found = clone.entry.scm_revision
    branch = _read(clone.folder / ".git" / "HEAD").decode().strip().removeprefix("ref: refs/heads/")
    _demand(found == branch, f"scm_revision {found!r} is not the branch, {branch}")
    return found


def category(clone: Clone) -> str:
    """One that the catalogue has."""
    found = clone.entry.category
    _demand(found in CATEGORIES, f"{found!r} is none of {', '.join(CATEGORIES)}")
    return found


def dependencies(clone: Clone) -> str:
    """The same in entry and CMake."""
    built = clone.cmake.get("EXTENSION_DEPENDS", "").split()
    submitted = clone.entry.build_dependencies
    _demand(
        sorted(built) == sorted(submitted),
        f"EXTENSION_DEPENDS {built} in CMakeLists.txt, build_dependencies {submitted}",
    )
    return ", ".join(built) or "none"


def description(clone: Clone) -> str:
    """One or two sentences, and a home page that is the repository's."""
    home = clone.setting("EXTENSION_HOMEPAGE")
    _demand(
        home == clone.entry.repository, f"EXTENSION_HOMEPAGE {home}, scm_url {clone.entry.scm_url}"
    )
    sentences = len(re.findall(r"[.!?](?=\s|$)", clone.setting("EXTENSION_DESCRIPTION")))
    _demand(1 <= sentences <= 2, f"EXTENSION_DESCRIPTION has {sentences} sentences, not 1 or 2")
    return f"{sentences} sentences; {home}"


def home_page(clone: Clone) -> str:
    """Name and picture of the extension."""
    text = _home_page(clone)
    _demand(clone.name in text, f"README.md does not name {clone.name}")
    pictures = re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", text)
    _demand(bool(pictures), "README.md shows no picture")
    missing = [p for p in pictures if "://" not in p and not (clone.folder / p).is_file()]
    _demand(not missing, f"README.md shows {', '.join(missing)}, which is not there")
    return f"README.md, pictures: {len(pictures)}"


def _home_page(clone: Clone) -> str:
    return _read(clone.folder / "README.md").decode("utf-8", "replace")


def icon(clone: Clone) -> str:
    """The raw address of a picture of this repository."""
    return _picture(clone, clone.setting("EXTENSION_ICONURL"))


def screenshots(clone: Clone) -> str:
    """At least one raw address of a picture of this repository."""
    urls = clone.setting("EXTENSION_SCREENSHOTURLS").split()
    return ", ".join(_picture(clone, url) for url in urls)


def _picture(clone: Clone, url: str) -> str:
    """Return the file of this clone to which an address leads."""
    owner_and_name = urlsplit(clone.entry.repository).path
    home = f"https://{_RAW}{owner_and_name}/{clone.entry.scm_revision}/"
    _demand(url.startswith(home), f"{url} does not begin with {home}")
    path = url.removeprefix(home)
    start = PICTURE_STARTS.get(Path(path).suffix.lower())
    _demand(start is not None, f"{path} is not named as a picture")
    inside = (clone.folder / path).resolve().is_relative_to(clone.folder.resolve())
    _demand(inside and (clone.folder / path).is_file(), f"{path} is not in the repository")
    _demand(_read(clone.folder / path).startswith(start or b""), f"{path} is not such a picture")
    return path


RULES: tuple[Callable[[Clone], str], ...] = (
    size,
    licence,
    entry,
    entry_format,
    line_ends,
    name,
    repository,
    revision,
    category,
    dependencies,
    description,
    home_page,
    icon,
    screenshots,
)
"""Each says what it found, or raises `BrokenRuleError`."""


@dataclass(frozen=True)
class Finding:
    """What a rule said of a clone."""

    rule: str
    holds: bool
    detail: str


def check(clone: Clone) -> list[Finding]:
    """Apply every rule; none keeps another from being applied."""
    findings = []
    for rule in RULES:
        title = rule.__name__.replace("_", " ")
        try:
            findings.append(Finding(title, True, rule(clone)))
        except BrokenRuleError as error:
            findings.append(Finding(title, False, str(error)))
    return findings
