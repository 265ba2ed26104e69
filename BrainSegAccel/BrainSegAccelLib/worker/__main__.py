"""Start the worker: ``python .../BrainSegAccelLib/worker FOLDER``, as `link.Link` does."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Python put this folder first on its path, where our module names would hide others'.
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    from BrainSegAccelLib.worker.server import main

    main()
