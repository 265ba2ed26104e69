"""What a user can set: each setting is one field, which says all there is to know about it.

A field has its title, its help and its range as pydantic has them (``title``, ``description``,
``ge``, ``le``); ``json_schema_extra`` may hold what pydantic has no word for:

- ``unit``: e.g. ``ml``;
- ``option``: how the command line spells it, if not like the field; None where it cannot be set
  there;
- ``metavar``: what stands for its value in the command line's help;
- ``file``: True where the command line gives the file of a value instead of the value.

Whatever offers settings (command line, panel) and whatever records them reads these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from .errors import InputError

_IN_WORDS = {"gt": "more than {}", "ge": "{} or more", "lt": "less than {}", "le": "{} or less"}
"""Limits by the names that pydantic has for them."""


class Settings(BaseModel):
    """Settings that go together: closed and immutable; NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


SettingsT = TypeVar("SettingsT", bound=BaseModel)


@dataclass(frozen=True)
class Setting:
    """One setting, as its field has it.

    :param path: names of the fields that lead to it, its own last.
    :param kind: type of its value.
    :param option: on the command line, e.g. ``--smallest-lesion``; None where it is not there.
    :param limits: what values must be, e.g. ``{"ge": 0.0}``; of each value of a mapping.
    :param file: whether the command line gives a file that holds the value.
    """

    path: tuple[str, ...]
    kind: Any
    default: Any
    title: str
    help: str
    unit: str
    option: str | None
    metavar: str | None
    limits: Mapping[str, float]
    file: bool

    @property
    def name(self) -> str:
        """Names of the fields in one word, e.g. ``engine.backend``."""
        return ".".join(self.path)

    @property
    def names(self) -> tuple[str, ...]:
        """Values that have a name: those of enumerations and literals, in order."""
        return tuple(_arms(self.kind)[0])

    @property
    def closed(self) -> bool:
        """Whether there are no values but those that have a name."""
        return bool(self.names) and not _arms(self.kind)[1]

    @property
    def plain(self) -> Any:
        """The type of a value that has no name, None aside; None if there are several or none."""
        others = _arms(self.kind)[1]
        return others[0] if len(others) == 1 else None

    @property
    def range(self) -> str:
        """The range in words, with its unit, e.g. ``0 ml or more``; empty if there is none."""
        unit = f" {self.unit}" if self.unit else ""
        if self.limits.keys() == {"ge", "le"}:
            return f"{self.limits['ge']:g} to {self.limits['le']:g}{unit}"
        return " and ".join(
            _IN_WORDS[limit].format(f"{value:g}{unit}") for limit, value in self.limits.items()
        )


def settings_of(model: type[BaseModel]) -> Iterator[Setting]:
    """Yield every setting of a model and of the models within it, in order."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            for inner in settings_of(field.annotation):
                yield _within(name, inner)
        else:
            yield _setting(name, field)


def checked(model: type[SettingsT], values: Mapping[str, Any]) -> SettingsT:
    """Return a model of these values.

    :raises InputError: the first that is refused, with its range, in one line.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise refusal(error, model) from error


def arguments_of(values: BaseModel) -> list[str]:
    """Return the arguments of a command line that asks for these values, usual ones left out."""
    found: list[str] = []
    for setting in settings_of(type(values)):
        value: Any = values
        for name in setting.path:
            value = getattr(value, name)
        if value == setting.default or setting.option is None:
            continue
        if isinstance(value, bool):
            found.append(setting.option)
        elif isinstance(value, Mapping):
            found += [part for k, v in value.items() for part in (setting.option, f"{k}={v}")]
        else:
            found += [setting.option, str(value)]
    return found


def refusal(error: ValidationError, model: type[BaseModel]) -> InputError:
    """Return in one line which setting is refused, why, and what it can be."""
    first = error.errors(include_url=False)[0]
    where = tuple(map(str, first["loc"]))
    found = next((s for s in settings_of(model) if s.path == where[: len(s.path)]), None)
    message = first["msg"].removeprefix("Value error, ")
    if found is None or first["type"] == "extra_forbidden":
        return InputError(message, where=".".join(where) or "options")
    place = found.option or found.name
    rest = where[len(found.path) :]
    given = first["input"]
    if found.closed:
        return InputError(
            f"unknown {found.title.lower()} {given!r}",
            where=place,
            remedy=f"use one of {', '.join(found.names)}",
        )
    if found.range and first["type"].startswith(("greater_than", "less_than", "finite")):
        of = f"{rest[0]}=" if rest else ""
        return InputError(f"{of}{given} is out of range", where=place, remedy=f"give {found.range}")
    return InputError(f"{given!r}: {message}", where=place)


def _within(name: str, inner: Setting) -> Setting:
    values = {**vars(inner), "path": (name, *inner.path)}
    return Setting(**values)


def _setting(name: str, field: FieldInfo) -> Setting:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    spelled = f"--{name.replace('_', '-')}"
    option = str(extra["option"]) if extra.get("option") else None
    return Setting(
        path=(name,),
        kind=field.annotation,
        default=field.get_default(call_default_factory=True),
        title=field.title or name.replace("_", " ").capitalize(),
        help=field.description or "",
        unit=str(extra.get("unit", "")),
        option=spelled if option is None and "option" not in extra else option,
        metavar=str(extra["metavar"]) if "metavar" in extra else None,
        limits=_limits(field.metadata, field.annotation),
        file=bool(extra.get("file", False)),
    )


def _limits(metadata: list[Any], kind: Any) -> dict[str, float]:
    """Return what a value must be; of a mapping, what each of its values must be."""
    if _is_mapping(kind):
        inner = getattr(get_args(kind)[-1], "__metadata__", ())
        metadata = [each for m in inner for each in getattr(m, "metadata", (m,))]
    return {
        limit: getattr(m, limit)
        for m in metadata
        for limit in _IN_WORDS
        if getattr(m, limit, None) is not None
    }


def _is_mapping(kind: Any) -> bool:
    origin = get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _arms(kind: Any) -> tuple[list[str], list[Any]]:
    """Return the values of a type that have a name, and the types of all others but None."""
    if kind is NoneType:
        return [], []
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(member.value) for member in kind], []
    origin = get_origin(kind)
    if origin is Literal:
        return [str(value) for value in get_args(kind)], []
    if origin is Annotated:
        return _arms(get_args(kind)[0])
    if origin is Union or origin is UnionType:
        parts = [_arms(arm) for arm in get_args(kind)]
        return [name for names, _ in parts for name in names], [t for _, ts in parts for t in ts]
    return [], [kind]
