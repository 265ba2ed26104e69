"""Write the terminology that Slicer loads with the extension from the default model's card.

python tools/write_terminology.py
"""

from __future__ import annotations

from BrainSegAccelLib.manifest.write import render_json
from BrainSegAccelLib.models.package import DEFAULT_MODEL, load_package
from BrainSegAccelLib.resources import resource
from BrainSegAccelLib.study.terminology import terminology_document


def main() -> None:
    """Replace the shipped file."""
    scheme = load_package(DEFAULT_MODEL).card.outputs.scheme
    shipped = resource("Terminologies", "BrainSegAccel.term.json")
    shipped.write_text(render_json(terminology_document(scheme)), encoding="utf-8")


if __name__ == "__main__":
    main()
