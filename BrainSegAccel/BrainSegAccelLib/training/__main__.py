"""``python -m BrainSegAccelLib.training CONFIG.json FOLDER``: train from a configuration."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import torch

from ..errors import BrainSegAccelError
from .run import train


def main() -> int:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(prog="brainsegaccel-train", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--minutes", type=float)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        train(
            options.config,
            options.folder,
            device=options.device,
            resume=options.resume,
            minutes=options.minutes,
        )
    except BrainSegAccelError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
