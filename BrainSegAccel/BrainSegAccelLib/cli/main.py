"""Entry point: arguments in, exit code out, errors as one line on stderr.

Exit codes: 0 done, 1 the run failed, 2 unusable arguments or input, 130 interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from .. import __version__
from ..errors import BrainSegAccelError, UnavailableError
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
for command in (segment, demo, evaluate, info, phantom, export, train):
    app.command()(command)


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
    try:
        with _terminable(), _warnings_in_one_line():
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
    except ImportError as error:
        missing = UnavailableError(
            f"the Python package {error.name or error} is missing or damaged",
            remedy="install brainsegaccel again",
        )
        return _refuse(str(missing), 1)
    except MemoryError:
        return _refuse("not enough memory; close other programs or use a larger machine", 1)
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return _refuse(f"failed, {what}; set {TRACEBACK}=1 to see where", 1)


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


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Show warnings of this library, such as a damaged cache entry, like its errors."""

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if category is UserWarning:
            print(f"brainsegaccel: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


@contextmanager
def _terminable() -> Iterator[None]:
    """Let a polite kill unwind like Ctrl-C, so that no partial file stays behind."""

    def unwind(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, unwind)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
