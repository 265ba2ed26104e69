"""What backends share: whether their runtime is there, and engines that come from the cache."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, TypeVar

from ..system.host import has_bf16_units, has_compiler, installed_version
from .cache import EngineCache, EngineKey
from .protocol import Availability, Device, Precision, Shape

if TYPE_CHECKING:
    from ..models.card import OnnxRecord
    from ..models.package import Export, ModelPackage

Loaded = TypeVar("Loaded")


class Runtime:
    """The head of every backend: a backend names its runtime and says what it takes.

    What depends on the machine and not on the runtime alone is told by `lacks`.
    """

    name: str
    title: str
    """As its makers write it."""
    distributions: tuple[str, ...]
    """Python distributions that bring it; the first that is installed counts."""
    install: str
    """What installs it."""
    from_export: bool = False
    opens_at_once: bool = False
    fidelity: int = 0
    build_seconds: float = 2.0
    """About how long a first build of a whole-brain engine takes."""
    formats: ClassVar[Mapping[Device, tuple[Precision, ...]]]
    """Precisions that engines are built in, by device; a device that is left out is not taken."""

    def version(self) -> str | None:
        """Version of the runtime, None if it is not installed. Imports nothing heavy."""
        versions = (installed_version(name) for name in self.distributions)
        return next((version for version in versions if version), None)

    def availability(self, device: Device, precision: Precision) -> Availability:
        """Say whether ``build`` would work here, and if not why not and what would change it."""
        if self.version() is None:
            return Availability.no(f"{self.title} is not installed", self.install)
        if device not in self.formats:
            return Availability.no(
                f"{self.title} does not run on {device} here",
                f"use --device {' or '.join(self.formats)}, or another backend",
            )
        built = " or ".join(self.formats[device])
        if precision not in self.formats[device]:
            # Without naming the precision that was asked for: the same for all that are not built.
            return Availability.no(
                f"{self.title} engines are {built} on {device}",
                f"use --precision {built}, or another backend",
            )
        return self.lacks(device, precision) or Availability.yes()

    def lacks(self, device: Device, precision: Precision) -> Availability | None:
        """Return what this machine lacks for it; None if nothing."""
        return None

    def key(
        self,
        model: ModelPackage,
        shape: Shape,
        precision: Precision,
        device_name: str,
        settings: Mapping[str, object],
        *,
        driver: str = "",
        export: OnnxRecord | None = None,
    ) -> EngineKey:
        """Return the cache key of an engine; of an INT8 one, its calibration is a part.

        :param settings: all that was set and changes the engine.
        :param export: what it is built from; None if from the weights alone.
        """
        quantised = model.card.quantised if precision is Precision.INT8 else None
        return EngineKey(
            weights_sha256=model.card.weights.sha256,
            network_sha256=model.card.network_sha256,
            shape=shape,
            precision=precision,
            backend=self.name,
            backend_version=self.version() or "",
            device_name=device_name,
            driver=driver,
            export_sha256=export.sha256 if export else "",
            calibration_sha256=quantised.digest if quantised else "",
            settings=repr(sorted(settings.items())),
        )


def export_in(model: ModelPackage, precision: Precision, shape: Shape) -> Export:
    """Return the ONNX export from which a precision is built: of INT8 the quantised one.

    :raises UnavailableError: the model has none, or of another static shape.
    :raises ModelError: it cannot be trusted.
    """
    model.require_export_of(shape)
    return model.quantised() if precision is Precision.INT8 else model.onnx()


def load_or_make(
    cache: EngineCache,
    key: EngineKey,
    load: Callable[[bytes], Loaded],
    make: Callable[[], bytes],
) -> tuple[Loaded, bool]:
    """Return an engine from the cache, or made, stored and loaded, and whether it was a hit.

    :param load: opens a serialised engine; may raise anything the runtime raises.
    :param make: compiles the engine and returns it serialised.
    """
    stored = cache.read(key)
    if stored is not None:
        try:
            return load(stored), True
        except Exception as error:
            # Intact, yet refused by the runtime: build it again like a damaged entry.
            reason = " ".join(str(error).split())[:120]
            warnings.warn(f"cached engine not taken, building it again: {reason}", stacklevel=2)
            cache.remove(key)
    made = make()
    cache.write(key, made)
    return load(made), False


def no_bf16_units() -> Availability | None:
    """Return why BF16 does not pay on this CPU; None if it has units for it."""
    if has_bf16_units():
        return None
    return Availability.no("this CPU has no BF16 units", "use --precision fp32")


def no_compiler() -> Availability | None:
    """Return that there is no C++ compiler; None if there is one."""
    if has_compiler():
        return None
    return Availability.no(
        "there is no C++ compiler",
        "install one (on Debian and Ubuntu: the package g++) or use another backend",
    )
