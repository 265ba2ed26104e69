"""What a client reports about its worker and its tasks."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..backends.survey import Combination
from ..manifest.model import Manifest
from ..postprocessing.kept import KeptProbabilities
from ..study.segmentation import Segmentation


@dataclass(frozen=True)
class Progress:
    """How the current task gets on.

    :param stage: name of the stage, e.g. ``"network"``.
    :param fraction: share of the whole task that is done, 0 to 1, never falling; None where
        nothing is known about how long it takes.
    :param seconds_left: until the task is done, from how long such a task took on this machine
        before; None the first time.
    """

    task: int
    stage: str
    fraction: float | None
    seconds_left: float | None


@dataclass(frozen=True, eq=False)
class Segmented:
    """A study was segmented.

    :param segmentation: labels on the reference volume's own grid; read-only.
    :param kept: from which `postprocessing.refine.refine` labels again at other thresholds.
    :param manifest: of the whole task: its stages begin with ``start worker`` where the task had
        to wait for the process, and end with ``transfer``, all that passed between the two
        processes. `manifest.revise` adds what the caller did before and after.
    :param warnings: one line each, e.g. of a cache that cannot be written.
    """

    task: int
    segmentation: Segmentation
    kept: KeptProbabilities
    manifest: Manifest
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Warmed:
    """An engine is ready.

    :param backend: the one that runs, where ``auto`` was asked for the one it chose; likewise
        ``precision`` and ``device``.
    :param built: False if the engine was there already.
    """

    task: int
    backend: str
    precision: str
    device: str
    built: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listed:
    """What runs on this machine.

    :param combinations: every backend at every precision on every device, with reason and remedy.
    """

    task: int
    combinations: tuple[Combination, ...]


@dataclass(frozen=True)
class Failed:
    """A task came to nothing; the client lives on and takes the next one.

    :param message: one line: what, where, what to do.
    :param unusable_input: True if the arguments or volumes were unusable, False if the run failed.
    :param log: the worker's last lines if the process itself crashed, hung or was killed.
    """

    task: int
    message: str
    unusable_input: bool
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cancelled:
    """A task was cancelled; nothing of it is left.

    :param warm: whether the process and its engine are still there. False if the process had to
        be ended: the next task starts another and says so in its manifest.
    """

    task: int
    warm: bool


@dataclass(frozen=True)
class Lost:
    """The process ended by itself while it had nothing to do; the next task starts another."""

    message: str
    log: tuple[str, ...] = field(default=())


Event = Progress | Segmented | Warmed | Listed | Failed | Cancelled | Lost
