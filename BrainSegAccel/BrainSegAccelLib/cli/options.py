"""The options of a run on the command line, made from the fields of `runs.options.RunOptions`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_origin

import typer

from ..errors import InputError
from ..runs.options import RunOptions
from ..settings import Setting, checked, settings_of

Command = Callable[..., None]
_NUMBERS = (int, float)
_KEYWORD = inspect.Parameter.KEYWORD_ONLY


@dataclass(frozen=True)
class Asked:
    """What was asked for.

    :param files: by name of the setting, the files that values are read from.
    """

    options: RunOptions
    files: Mapping[str, Path]


def takes_options(
    *,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    files: bool = True,
    model: type[RunOptions] = RunOptions,
) -> Callable[[Command], Command]:
    """Give a command an option for each setting of a run; its parameter ``asked`` receives them.

    :param only: names of the fields of ``model`` whose settings it takes; default: all.
    :param without: names of those that it does not take.
    :param files: whether the files of one case can be named.
    """
    taken = [
        setting
        for setting in settings_of(model)
        if setting.option
        and (only is None or setting.path[0] in only)
        and setting.path[0] not in without
        and (files or setting.names or not setting.file)
    ]
    by_name = {"_".join(setting.path): setting for setting in taken}

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(**given: Any) -> None:
            told = {name: given.pop(name) for name in by_name}
            command(**given, asked=_asked(model, ((by_name[n], v) for n, v in told.items()), files))

        own = inspect.signature(command, eval_str=True).parameters
        parameters = [
            *(each.replace(kind=_KEYWORD) for name, each in own.items() if name != "asked"),
            *(_parameter(name, setting, files) for name, setting in by_name.items()),
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        return run

    return decorate


def _parameter(name: str, setting: Setting, files: bool) -> inspect.Parameter:
    kind: Any = str
    default = setting.default
    metavar = setting.metavar
    if isinstance(default, Enum):
        default = default.value
    if setting.kind is bool:
        kind = bool
    elif setting.plain in _NUMBERS:
        kind = setting.plain
    elif _is_mapping(setting):
        kind, default = list[str], None
    elif setting.names and (setting.closed or not files):
        metavar = "|".join(setting.names)
    if default is None:
        kind = kind | None
    option = typer.Option(setting.option, metavar=metavar, help=_help(setting))
    return inspect.Parameter(
        name,
        _KEYWORD,
        default=default,
        annotation=Annotated[kind, option],
    )


def _help(setting: Setting) -> str:
    """Return the help, with range and unit."""
    return f"{setting.help.rstrip('.')} ({setting.range})." if setting.range else setting.help


def _asked(model: type[RunOptions], given: Iterator[tuple[Setting, Any]], files: bool) -> Asked:
    """Return what the arguments say.

    :raises InputError: a value that is refused.
    """
    values: dict[str, Any] = {}
    named: dict[str, Path] = {}
    for setting, value in given:
        if value is None:
            continue
        if setting.file and files and value not in setting.names:
            named[setting.name] = Path(value)
            continue
        place = values
        for part in setting.path[:-1]:
            place = place.setdefault(part, {})
        place[setting.path[-1]] = _pairs(setting, value) if _is_mapping(setting) else value
    return Asked(checked(model, values), named)


def _is_mapping(setting: Setting) -> bool:
    origin = get_origin(setting.plain)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _pairs(setting: Setting, texts: list[str]) -> dict[str, str]:
    """Return what ``NAME=VALUE``, given once or more, says.

    :raises InputError: there is no such pair in it.
    """
    pairs = [text.partition("=") for text in texts]
    for text, (name, equals, _) in zip(texts, pairs, strict=True):
        if not (name and equals):
            raise InputError(
                f"{text!r} does not say what of",
                where=setting.option or "",
                remedy=f"give {setting.metavar or 'NAME=VALUE'}",
            )
    return {name: value for name, _, value in pairs}
