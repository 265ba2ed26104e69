"""Entry point: arguments in, exit code out, errors as one line on stderr.

Exit codes: 0 done, 1 the run failed, 2 unusable arguments or input, 130 interrupted.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from .. import __version__
from ..errors import BrainSegAccelError, explain
from ..system.allocator import keep_freed_memory
from ..system.process import terminable, warnings_in_one_line
from .batch import batch
from .bench import bench
from .cache import cache
from .demo import demo
from .evaluate import evaluate
from .export import export
from .info import info
from .phantom import phantom
from .segment import segment
from .services import Services
from .train import train

TRACEBACK = "BRAINSEGACCEL_TRACEBACK"
"""Environment variable: if set, an unexpected error shows where it comes from."""

INTERRUPTED = 130
# Every error about arguments; typer exports only its subclasses, and has moved it before.
_UsageError: Any = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="brainsegaccel",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (segment, batch, demo, evaluate, info, phantom, export, train, bench):
    app.command()(command)
app.add_typer(cache, name="cache")


def _version(asked: bool) -> None:
    if asked:
        print(f"brainsegaccel {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Brain tumour segmentation on MR: T1, T1c, T2 and FLAIR, or any of them.

    Research software, not a medical device.
    """


def main(arguments: Sequence[str] | None = None, services: Services | None = None) -> int:
    """Run one command.

    :param arguments: default: those of this process.
    :param services: what the commands work with; default: the real things.
    :returns: exit code.
    """
    keep_freed_memory()
    atexit.register(gc.freeze)  # What goes with the process anyway need not be searched first.
    try:
        with terminable(), warnings_in_one_line():
            code = app(
                arguments,
                prog_name="brainsegaccel",
                standalone_mode=False,
                obj=services or Services(),
            )
            sys.stdout.flush()
        return _interrupted() if code == INTERRUPTED else code or 0
    except BrainSegAccelError as error:
        return _refuse(str(error), error.exit_code)
    except _UsageError as error:
        return _refuse(_usage(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain about it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ImportError, MemoryError) as error:
        return _refuse(explain(error), 1)
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        return _refuse(f"{explain(error)}; set {TRACEBACK}=1 to see where", 1)


def _interrupted() -> int:
    """Say so; typer returns the code of an interrupted command, older ones raise Abort."""
    return _refuse("interrupted", INTERRUPTED)


def _refuse(message: str, code: int) -> int:
    print(f"brainsegaccel: {message}", file=sys.stderr)
    return code


def _usage(error: Any) -> str:
    """Return what is wrong with the arguments, in one line."""
    command = error.ctx.command_path if error.ctx else "brainsegaccel"
    message = " ".join(error.format_message().split()) or "no command given"
    return f"{message.rstrip('.')}; {command} --help shows what can be given"


if __name__ == "__main__":
    sys.exit(main())
