"""Average the weights of two training runs: of two from one start, or of one and what it led to.

    python tools/average_weights.py FIRST SECOND OUTPUT --share 0.6

The result is ``(1 - share) * first + share * second`` (Wortsman et al. 2022, "Model soups", arXiv
2203.05482), which only means something where one descends from the other, or both from one start:
name the folders that lie between with ``--through``. OUTPUT becomes a folder as training leaves it,
to be shipped with ship_model.py: its ``training.json`` is that of the second run.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.training.checkpoint import save_weights
from BrainSegAccelLib.training.config import read_config
from BrainSegAccelLib.training.pretrained import read_pretrained
from BrainSegAccelLib.training.train import WEIGHTS


def main() -> None:
    """Read both, average, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first", type=Path, help="folder of one run")
    parser.add_argument(
        "second",
        type=Path,
        help="folder of a run that began with its weights, or with the same as it",
    )
    parser.add_argument("output", type=Path)
    parser.add_argument("--share", type=float, required=True, help="of the second, 0 to 1")
    parser.add_argument(
        "--through",
        type=Path,
        nargs="*",
        default=[],
        help="folders of runs and means that lie between the two",
    )
    options = parser.parse_args()
    if not 0 <= options.share <= 1:
        raise InputError("must be between 0 and 1", where="--share")
    config = read_config(options.second / "training.json")
    earlier, later = (
        read_pretrained(str(folder / WEIGHTS)) for folder in (options.first, options.second)
    )
    starts = {earlier.sha256, _beginning(options.first)} - {None}
    between = {
        read_pretrained(str(folder / WEIGHTS)).sha256: _beginning(folder)
        for folder in options.through
    }
    began = config.initial_weights
    while began in between and began not in starts:
        began = between.pop(began)
    if began not in starts:
        raise InputError(
            "began neither with the weights of the first nor as it did; name what lies between "
            "with --through",
            where=options.second.name,
        )
    averaged = {
        name: tensor.float().lerp(later.tensors[name].float(), options.share)
        for name, tensor in earlier.tensors.items()
    }
    options.output.mkdir(parents=True, exist_ok=True)
    shutil.copy(options.second / "training.json", options.output)
    save_weights(options.output / WEIGHTS, averaged, config)


def _beginning(folder: Path) -> str | None:
    """Return the hash of the weights that a run began with; of a mean, its second run did."""
    return read_config(folder / "training.json").initial_weights


if __name__ == "__main__":
    main()
