"""OpenVINO on the CPU, from the shipped ONNX export."""

from __future__ import annotations

import functools
import io
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..system.host import cpu_name
from .cache import EngineCache
from .protocol import Availability, Device, EngineInfo, Precision, Shape
from .runtime import Runtime, export_in, load_or_make, no_bf16_units

if TYPE_CHECKING:
    from ..models.description import Inputs
    from ..models.package import ModelPackage

_PRECISIONS = (Precision.FP32, Precision.BF16, Precision.INT8)

_ARITHMETIC_LAYERS = {"Convolution", "FullyConnected", "MatMul", "MVN"}
_NAMES = {"f32": "fp32", "bf16": "bf16", "f16": "fp16", "i8": "int8", "u8": "int8"}


class OpenVinoBackend(Runtime):
    """Compiles the export with OpenVINO's CPU plugin and keeps the compiled model in the cache."""

    name = "openvino"
    title = "OpenVINO"
    distributions = ("openvino",)
    install = "pip install openvino"
    from_export = True
    fidelity = 1
    formats: ClassVar = {Device.CPU: _PRECISIONS}

    def lacks(self, device: Device, precision: Precision) -> Availability | None:
        """BF16 units for BF16, as emulation is slower."""
        return no_bf16_units() if precision is Precision.BF16 else None

    def build(
        self,
        model: ModelPackage,
        shape: Shape,
        precision: Precision,
        device: Device,
        cache: EngineCache,
    ) -> OpenVinoEngine:
        """Load the compiled model from the cache, else compile it and keep it there.

        :raises UnavailableError: the export has another static shape; there is no INT8 export.
        """
        started = time.perf_counter()
        export = export_in(model, precision, shape)
        core = shared_core()
        settings = {
            "INFERENCE_PRECISION_HINT": _arithmetic(precision),
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
        }

        def compile_export() -> bytes:
            graph = core.read_model(export.whole(), b"")
            exported = core.compile_model(graph, "CPU", settings).export_model()
            return exported if isinstance(exported, bytes) else exported.read()

        key = self.key(model, shape, precision, cpu_name(), settings, export=export.record)
        compiled, hit = load_or_make(
            cache,
            key,
            lambda blob: core.import_model(io.BytesIO(blob), "CPU", settings),
            compile_export,
        )
        info = EngineInfo(
            backend=self.name,
            version=self.version() or "",
            device=device,
            device_name=cpu_name(),
            precision=precision,
            shape=shape,
            build_seconds=time.perf_counter() - started,
            actual_precision=_actual_precision(compiled),
            cache_key=key.digest,
            cache_hit=hit,
            settings={
                "threads": str(compiled.get_property("INFERENCE_NUM_THREADS")),
                "performance_hint": "LATENCY",
                "inference_precision": settings["INFERENCE_PRECISION_HINT"],
            },
        )
        return OpenVinoEngine(compiled, info, model.card.inputs)


@functools.cache
def shared_core() -> Any:
    """Return the one `openvino.Core` of this process, which is never destroyed.

    The CPU plugin of each gives signal handlers another stack and puts the earlier one back when
    it goes: of two that do not go in reverse order, the last puts back a stack that is freed, and
    the next signal (Ctrl-C, a child's end) overwrites memory or ends the process.
    """
    from openvino import Core

    return Core()


def run_export(export: bytes) -> Callable[..., NDArray[np.float32]]:
    """Compile an ONNX model for the CPU, in no cache, and return what runs it.

    :returns: maps the inputs, in their order, to probabilities (C, D, H, W).
    """
    core = shared_core()
    # Else a CPU with BF16 units computes in BF16 what the export leaves open.
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(export), "CPU", settings)
    request = compiled.create_infer_request()

    def run(*given: NDArray[np.float32]) -> NDArray[np.float32]:
        request.infer(list(given), share_inputs=True)
        found: NDArray[np.float32] = request.get_output_tensor(0).data[0].copy()
        return found

    return run


class OpenVinoEngine:
    """A compiled model and the one request that runs it."""

    def __init__(self, compiled: Any, info: EngineInfo, inputs: Inputs) -> None:
        self.info = info
        self._inputs = inputs
        self._request = compiled.create_infer_request()

    def __call__(
        self, x: NDArray[np.float32], availability: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Run the network once, see `protocol.Engine`."""
        given = list(self._inputs.feed(x, availability))
        self._request.infer(given, share_inputs=True, share_outputs=True)
        return self._request.get_output_tensor(0).data[0]


def _arithmetic(precision: Precision) -> str:
    """Format of the layers that the export leaves open: in the INT8 export, all but convolutions.

    There it is BF16 if the CPU has units for it, which is faster than FP32.
    """
    if precision is Precision.FP32 or no_bf16_units():
        return "f32"
    return "bf16"


def _actual_precision(compiled: Any) -> dict[str, int]:
    """Count the layers that do the arithmetic, by the format the runtime reports for them."""
    counts: Counter[str] = Counter()
    for node in compiled.get_runtime_model().get_ordered_ops():
        info = node.get_rt_info()
        if info["layerType"].astype(str) in _ARITHMETIC_LAYERS:
            kind = info["runtimePrecision"].astype(str)
            counts[_NAMES.get(kind, kind)] += 1
    return dict(counts)


BACKEND = OpenVinoBackend()
