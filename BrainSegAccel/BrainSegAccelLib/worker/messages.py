"""All that the worker and the program that owns it say to one another.

These values are what a caller hands in and gets back, and what goes over the channel: one JSON
object a line, checked on arrival, with handles in the place of arrays (`transfer`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ..backends.protocol import Device, Precision
from ..backends.survey import Combination
from ..geometry.volume import Volume
from ..manifest.model import Manifest
from ..postprocessing.kept import KeptProbabilities
from ..runs.options import RunOptions
from ..study.modality import Modality
from ..study.segmentation import Segmentation

Text = Annotated[str, Field(max_length=4096)]
Number = Annotated[int, Field(ge=1)]
"""Of a task."""
Stages = tuple[tuple[Text, float], ...]
"""Names and seconds, in order."""


class Message(BaseModel):
    """A message: closed and immutable. A NaN travels, for the worker to say what is wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Segment(Message):
    """Segment a study; answered by `Segmented`.

    The volumes need not make a valid `study.Study`: the worker checks them, so that the caller
    need not wait for it, and answers `Failed` with the reason. Their arrays must not change until
    the task is answered.

    :param volumes: one to four of T1, T1c, T2 and FLAIR.
    """

    kind: Literal["segment"] = "segment"
    volumes: Mapping[Modality, Volume]
    options: RunOptions = RunOptions()


class WarmUp(Message):
    """Build the engine of these options, or load it, before it is needed; answered by `Warmed`."""

    kind: Literal["warm up"] = "warm up"
    options: RunOptions = RunOptions()


class ListBackends(Message):
    """Say what runs on this machine, or why not; answered by `Listed`."""

    kind: Literal["list backends"] = "list backends"


Request = Segment | WarmUp | ListBackends


class Progress(Message):
    """How the current task gets on.

    :param stage: name of the stage, e.g. ``"network"``.
    :param fraction: share of the whole task that is done, 0 to 1, never falling; None where
        nothing is known about how long it takes.
    :param seconds_left: until the task is done, from how long such a task took on this machine
        before; None the first time.
    """

    task: int
    stage: str
    fraction: float | None = None
    seconds_left: float | None = None


class Segmented(Message):
    """A study was segmented.

    :param segmentation: labels on the grid that was asked for; read-only.
    :param kept: from which `postprocessing.refine.refine` labels again at other thresholds.
    :param manifest: of the whole task: its stages begin with ``process start`` where the task had
        to wait for the process, and end with ``transfer``, all that passed between the two
        processes. `manifest.revise` adds what the caller did before and after.
    """

    kind: Literal["segmented"] = "segmented"
    task: Number
    segmentation: Segmentation
    kept: KeptProbabilities
    manifest: Manifest


class Warmed(Message):
    """An engine is ready.

    :param backend: the one that runs, where ``auto`` was asked for the one it chose; likewise
        ``precision`` and ``device``.
    :param built: False if the engine was there already.
    :param warnings: one line each, e.g. of a cache that cannot be written.
    """

    kind: Literal["warmed"] = "warmed"
    task: Number
    backend: Text
    precision: Precision
    device: Device
    built: bool
    warnings: tuple[str, ...] = ()


class Listed(Message):
    """What runs on this machine.

    :param combinations: every backend at every precision on every device, with reason and remedy.
    """

    kind: Literal["listed"] = "listed"
    task: Number
    combinations: tuple[Combination, ...]


class Failed(Message):
    """A task came to nothing; the client lives on and takes the next one.

    :param message: one line: what, where, what to do.
    :param unusable_input: True if the arguments or volumes were unusable, False if the run failed.
    :param log: the worker's last lines if the process itself crashed, hung or was killed.
    """

    kind: Literal["failed"] = "failed"
    task: Number
    message: str
    unusable_input: bool
    log: tuple[str, ...] = ()


class Cancelled(Message):
    """A task was cancelled; nothing of it is left.

    :param warm: whether the process and its engine are still there. False if the process had to
        be ended: the next task starts another and says so in its manifest.
    """

    kind: Literal["cancelled"] = "cancelled"
    task: Number
    warm: bool


class Lost(Message):
    """The process ended by itself while it had nothing to do; the next task starts another."""

    message: str
    log: tuple[str, ...] = ()


Answer = Segmented | Warmed | Listed | Failed | Cancelled
Event = Progress | Answer | Lost
"""What a client reports about its worker and its tasks."""


class Asked(Message):
    """A request on its way; it is read only when its turn has come.

    :param request: as JSON.
    """

    kind: Literal["asked"] = "asked"
    task: Number
    request: str


class Cancel(Message):
    """Give the task up."""

    kind: Literal["cancel"] = "cancel"
    task: Number


class Received(Message):
    """The result of the task is taken over; the worker may let go of its memory."""

    kind: Literal["received"] = "received"
    task: Number


class Hello(Message):
    """The worker is there; always its first message."""

    kind: Literal["hello"] = "hello"
    token: Text
    version: Text
    pid: int


class Alive(Message):
    """The worker is still there."""

    kind: Literal["alive"] = "alive"


class Planned(Message):
    """The worker has taken over the volumes of a task and begins.

    :param stages: those of the last task of this kind; None if there was none.
    """

    kind: Literal["planned"] = "planned"
    task: Number
    stages: Stages | None


class Begun(Message):
    """A stage of the task begins."""

    kind: Literal["begun"] = "begun"
    task: Number
    stage: Text


class Advanced(Message):
    """A share of the stage is done."""

    kind: Literal["advanced"] = "advanced"
    task: Number
    fraction: float


ToWorker = Asked | Cancel | Received
FromWorker = Hello | Alive | Planned | Begun | Advanced | Answer

REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="kind")])
TO_WORKER: TypeAdapter[ToWorker] = TypeAdapter(Annotated[ToWorker, Field(discriminator="kind")])
FROM_WORKER: TypeAdapter[FromWorker] = TypeAdapter(
    Annotated[FromWorker, Field(discriminator="kind")]
)
