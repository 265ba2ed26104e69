"""A model as it lies on disk: card, weights and export, opened only when their hashes are right."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, ModelError, UnavailableError
from ..resources import DEFAULT_MODEL, resource
from .card import FileRecord, ModelCard, OnnxRecord, read_card
from .external_data import inline_weights
from .tasks import TaskName

CARD_SUFFIX = ".card.json"
_REINSTALL = "reinstall BrainSegAccel or give another model"
_QUANTISE = "run brainsegaccel export --int8, or use --precision fp32"


@dataclass(frozen=True)
class Export:
    """An export of a model, and the weights that its graph refers to; both are checked.

    :param graph: ONNX with external data in the weights' file.
    :param weights: content of that file.
    """

    record: OnnxRecord
    graph: bytes
    weights_record: FileRecord
    weights: bytes

    def whole(self) -> bytes:
        """Return the ONNX model with its weights inside, as runtimes take it.

        :raises ModelError: the graph refers to anything else.
        """
        return inline_weights(self.graph, self.weights, self.weights_record.file, self.record.file)


@dataclass(frozen=True)
class ModelPackage:
    """A model card and the folder in which its files lie."""

    card: ModelCard
    folder: Path

    def weights(self) -> bytes:
        """Return the safetensors file, checked against the card.

        :raises ModelError: missing, of another hash, or not what the card says.
        """
        return checked_content(self.folder, self.card.weights)

    def onnx(self) -> Export:
        """Read the ONNX export, checked against the card and tied to the weights.

        :raises ModelError: none shipped, made from other weights, missing or of another hash.
        """
        return self._export(self.card.onnx, "ONNX export", "run brainsegaccel export")

    def quantised(self) -> Export:
        """Read the export with INT8 convolutions, checked and tied as `onnx` is.

        :raises UnavailableError: this model has none.
        :raises ModelError: made from other weights, missing or of another hash.
        """
        if self.card.quantised is None:
            raise UnavailableError(f"{self.card.name} has no INT8 export", remedy=_QUANTISE)
        return self._export(self.card.quantised, "INT8 export", _QUANTISE)

    def require_task(self, task: TaskName) -> None:
        """Check what the model is for.

        :raises InputError: it is for something else.
        """
        if self.card.task != task:
            raise InputError(
                f"{self.card.name} is a model for the task {self.card.task}, not {task}",
                where="model",
                remedy=f"give one of {', '.join(shipped_models(task))}, or the path of another",
            )

    def _export(self, record: OnnxRecord | None, what: str, remedy: str) -> Export:
        if record is None:
            raise ModelError(f"has no {what}", where=self.card.name, remedy=remedy)
        if record.made_from_sha256 != self.card.weights.sha256:
            raise ModelError(
                f"the {what} was made from other weights", where=record.file, remedy=remedy
            )
        return Export(
            record, checked_content(self.folder, record), self.card.weights, self.weights()
        )

    def require_export_of(self, shape: tuple[int, int, int]) -> None:
        """Check that the export is of a static shape (D, H, W).

        :raises UnavailableError: it is of another one.
        """
        window = self.card.inference.window
        if shape != window:
            raise UnavailableError(
                f"the export of {self.card.name} has shape {window}, not {shape}",
                remedy="run brainsegaccel export for that shape",
            )


def checked_content(folder: Path, record: FileRecord) -> bytes:
    """Return the content of a file of a model.

    :raises ModelError: it is missing or of another hash.
    """
    try:
        content = (folder / record.file).read_bytes()
    except OSError as error:
        raise ModelError(
            f"cannot be read ({error.strerror})", where=record.file, remedy=_REINSTALL
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != record.sha256:
        raise ModelError(
            f"SHA-256 is {found[:12]}…, the model card says {record.sha256[:12]}…",
            where=record.file,
            remedy=_REINSTALL,
        )
    return content


def shipped_models(task: TaskName = "tumour") -> list[str]:
    """Names of the models for a task that ship with the library."""
    return [name for name, path in _shipped_cards().items() if read_card(path).task == task]


def brain_package() -> ModelPackage:
    """Open the model that ships for finding the brain.

    :raises ModelError: its card is not valid.
    """
    return load_package(shipped_models("brain")[0])


def _shipped_cards() -> dict[str, Path]:
    cards = sorted(resource("Models").glob(f"*{CARD_SUFFIX}"))
    return {path.name.removesuffix(CARD_SUFFIX): path for path in cards}


def load_package(model: str | Path = DEFAULT_MODEL) -> ModelPackage:
    """Open a model by the name of a shipped one, or the path of a model card or of its folder.

    :raises InputError: nothing of that name ships or is there; a folder without one clear card.
    :raises ModelError: the card is not valid.
    """
    card = _shipped_cards().get(str(model)) or _card_at(Path(model))
    return ModelPackage(read_card(card), card.resolve().parent)


def _card_at(path: Path) -> Path:
    if path.is_dir():
        cards = sorted(path.glob(f"*{CARD_SUFFIX}"))
        if len(cards) == 1:
            return cards[0]
        raise InputError(
            f"folder with {len(cards) or 'no'} model cards",
            where=str(path),
            remedy=f"give the path of one {CARD_SUFFIX} file",
        )
    if not path.exists():
        raise InputError(
            f"no model named {str(path)!r}",
            where="model",
            remedy=f"give one of {', '.join(shipped_models())}, or the path of a {CARD_SUFFIX} "
            "file or of its folder",
        )
    return path
