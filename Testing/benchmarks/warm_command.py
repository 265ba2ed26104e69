"""A process that runs ``brainsegaccel`` again and again, whenever it is told to.

Reads lines of JSON from its standard input, each a list of arguments, runs the command in this
process and answers with a line of JSON: exit code and seconds. Whatever the command prints goes to
standard error. Ends with its input. It uses nothing of the library but the command's entry point,
so that it drives any checkout; `compare_checkouts.py` starts it.
"""

from __future__ import annotations

import json
import os
import sys
import time

from BrainSegAccelLib.cli.main import main as command


def main() -> None:
    """Answer every line."""
    # Libraries print past Python's sys.stdout, so the descriptor itself is turned away.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        arguments = json.loads(line)
        started = time.perf_counter()
        code = command(arguments)
        print(json.dumps({"code": code, "seconds": time.perf_counter() - started}), file=answers)
        answers.flush()


if __name__ == "__main__":
    main()
