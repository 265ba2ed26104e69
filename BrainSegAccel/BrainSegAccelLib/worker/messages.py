"""What goes over the channel: one JSON object a line, checked on arrival."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ..backends.protocol import Device, Precision
from ..backends.survey import Combination
from ..manifest.model import Manifest
from ..models.description import Outputs
from ..postprocessing.refinement import Refinement
from ..preprocessing.options import PreprocessingOptions
from ..study.modality import Modality
from .requests import Options

Text = Annotated[str, Field(max_length=4096)]
Index = Annotated[int, Field(ge=0, le=4096)]
Affine = Annotated[tuple[float, ...], Field(min_length=16, max_length=16)]
"""A 4x4 matrix, row by row."""
Task = Annotated[int, Field(ge=1)]


class Message(BaseModel):
    """A message: closed and immutable. A NaN travels, for the worker to say what is wrong."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_inf_nan="strings",
        revalidate_instances="always",
    )


class ArrayMessage(Message):
    """Where an array lies in shared memory."""

    name: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    dtype: Literal["float32", "uint8"]
    shape: Annotated[tuple[Index, ...], Field(max_length=4)]


class VolumeMessage(Message):
    """A `volume.Volume`; one that the worker still has from the request before keeps its name."""

    array: ArrayMessage
    affine: Affine
    name: Text


class KeptMessage(Message):
    """A `postprocessing.kept.KeptProbabilities`."""

    values: ArrayMessage
    box: tuple[tuple[Index, Index], tuple[Index, Index], tuple[Index, Index]]
    shape: tuple[Index, Index, Index]
    affine: Affine
    outputs: Outputs


class SegmentMessage(Message):
    """A `requests.Segment`."""

    kind: Literal["segment"] = "segment"
    task: Task
    volumes: dict[Modality, VolumeMessage]
    options: Options
    preprocessing: PreprocessingOptions
    brain_mask: VolumeMessage | None
    refinement: Refinement
    iterations: Annotated[int, Field(le=100_000)] | None
    verify: bool
    roi: Affine | None
    base: KeptMessage | None


class WarmUpMessage(Message):
    """A `requests.WarmUp`."""

    kind: Literal["warm up"] = "warm up"
    task: Task
    options: Options


class ListMessage(Message):
    """A `requests.ListBackends`."""

    kind: Literal["list"] = "list"
    task: Task


class CancelMessage(Message):
    """Give the task up."""

    kind: Literal["cancel"] = "cancel"
    task: Task


class ReceivedMessage(Message):
    """The result of the task is taken over; the worker may let go of its memory."""

    kind: Literal["received"] = "received"
    task: Task


class HelloMessage(Message):
    """The worker is there; always its first message."""

    kind: Literal["hello"] = "hello"
    token: Text
    version: Text
    pid: int


class AliveMessage(Message):
    """The worker is still there."""

    kind: Literal["alive"] = "alive"


class PlanMessage(Message):
    """The worker has taken over the volumes of a task and begins.

    ``stages`` are those of the last task of this kind, with their seconds; None if there was none.
    """

    kind: Literal["plan"] = "plan"
    task: Task
    stages: tuple[tuple[Text, float], ...] | None


class StageMessage(Message):
    """A stage of the task begins."""

    kind: Literal["stage"] = "stage"
    task: Task
    name: Text


class AdvanceMessage(Message):
    """A share of the stage is done."""

    kind: Literal["advance"] = "advance"
    task: Task
    fraction: float


class SegmentedMessage(Message):
    """An `events.Segmented`; ``kept`` tells the grid of the labels, too."""

    kind: Literal["segmented"] = "segmented"
    task: Task
    labels: ArrayMessage
    kept: KeptMessage
    manifest: Manifest
    warnings: tuple[str, ...]


class WarmedMessage(Message):
    """An `events.Warmed`."""

    kind: Literal["warmed"] = "warmed"
    task: Task
    backend: Text
    precision: Precision
    device: Device
    built: bool
    warnings: tuple[str, ...]


class ListedMessage(Message):
    """An `events.Listed`."""

    kind: Literal["listed"] = "listed"
    task: Task
    combinations: tuple[Combination, ...]


class FailedMessage(Message):
    """An `events.Failed`."""

    kind: Literal["failed"] = "failed"
    task: Task
    message: str
    unusable_input: bool


class CancelledMessage(Message):
    """An `events.Cancelled`; the worker is as warm as before."""

    kind: Literal["cancelled"] = "cancelled"
    task: Task


Asked = SegmentMessage | WarmUpMessage | ListMessage
ToWorker = Asked | CancelMessage | ReceivedMessage
Answer = SegmentedMessage | WarmedMessage | ListedMessage | FailedMessage | CancelledMessage
FromWorker = HelloMessage | AliveMessage | PlanMessage | StageMessage | AdvanceMessage | Answer

_TO_WORKER: TypeAdapter[ToWorker] = TypeAdapter(Annotated[ToWorker, Field(discriminator="kind")])
_FROM_WORKER: TypeAdapter[FromWorker] = TypeAdapter(
    Annotated[FromWorker, Field(discriminator="kind")]
)


def encode(message: Message) -> bytes:
    """Return the message as one line of JSON, without its end."""
    return message.model_dump_json().encode()


def decode_request(line: bytes) -> ToWorker:
    """Return a message to the worker.

    :raises pydantic.ValidationError: it is none.
    """
    return _TO_WORKER.validate_json(line)


def decode_report(line: bytes) -> FromWorker:
    """Return a message from the worker.

    :raises pydantic.ValidationError: it is none.
    """
    return _FROM_WORKER.validate_json(line)
