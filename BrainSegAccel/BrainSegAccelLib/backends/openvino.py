"""OpenVINO on the CPU, from the shipped ONNX export."""

from __future__ import annotations

import functools
import io
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .cache import EngineCache, EngineKey
from .host import cpu_name, installed_version
from .protocol import Availability, Device, EngineInfo, Precision, Shape

if TYPE_CHECKING:
    from ..network.package import ModelPackage

_TYPES = {Precision.FP32: "f32", Precision.BF16: "bf16"}
_ARITHMETIC_LAYERS = {"Convolution", "FullyConnected", "MatMul", "MVN"}
_NAMES = {"f32": "fp32", "bf16": "bf16", "f16": "fp16", "i8": "int8", "u8": "int8"}


class OpenVinoBackend:
    """Compiles the export with OpenVINO's CPU plugin and keeps the compiled model in the cache."""

    name = "openvino"

    def version(self) -> str | None:
        """Version of OpenVINO, None if it is not installed."""
        return installed_version("openvino")

    def availability(self, device: Device, precision: Precision) -> Availability:
        """FP32 on any CPU; BF16 where the CPU has the units for it, as emulation is slower."""
        if self.version() is None:
            return Availability.no("OpenVINO is not installed", "pip install openvino")
        if device is not Device.CPU:
            return Availability.no(
                f"OpenVINO does not run on {device}", "use --device cpu or another backend"
            )
        if precision not in _TYPES:
            return Availability.no(
                f"no {precision} engine is built with OpenVINO", "use --precision fp32"
            )
        if precision is Precision.BF16 and "BF16" not in _core().get_property(
            "CPU", "OPTIMIZATION_CAPABILITIES"
        ):
            return Availability.no("this CPU has no BF16 units", "use --precision fp32")
        return Availability.yes()

    def build(
        self,
        model: ModelPackage,
        shape: Shape,
        precision: Precision,
        device: Device,
        cache: EngineCache,
    ) -> OpenVinoEngine:
        """Load the compiled model from the cache, else compile it and keep it there.

        :raises UnavailableError: the export has another static shape.
        """
        started = time.perf_counter()
        model.require_export_of(shape)
        core = _core()
        settings = {
            "INFERENCE_PRECISION_HINT": _TYPES[precision],
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
        }
        key = EngineKey(
            weights_sha256=model.card.weights.sha256,
            network_config_sha256=model.card.network_sha256,
            shape=shape,
            precision=precision,
            backend=self.name,
            backend_version=self.version() or "",
            device_name=cpu_name(),
            settings=repr(sorted(settings.items())),
        )
        blob = cache.read(key)
        compiled = None
        if blob is not None:
            try:
                compiled = core.import_model(io.BytesIO(blob), "CPU", settings)
            except RuntimeError:
                # Intact, yet refused by the runtime: build it again like a damaged entry.
                cache.remove(key)
        hit = compiled is not None
        if compiled is None:
            compiled = core.compile_model(core.read_model(model.onnx(), b""), "CPU", settings)
            exported = compiled.export_model()
            cache.write(key, exported if isinstance(exported, bytes) else exported.read())
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
            },
        )
        return OpenVinoEngine(compiled, info)


@functools.cache
def _core() -> Any:
    """Return the one `openvino.Core` of this process, which is never destroyed.

    The CPU plugin of each gives signal handlers another stack and puts the earlier one back when
    it goes: of two that do not go in reverse order, the last puts back a stack that is freed, and
    the next signal (Ctrl-C, a child's end) overwrites memory or ends the process.
    """
    from openvino import Core

    return Core()


class OpenVinoEngine:
    """A compiled model and the one request that runs it."""

    def __init__(self, compiled: Any, info: EngineInfo) -> None:
        self.info = info
        self._request = compiled.create_infer_request()

    def __call__(
        self, x: NDArray[np.float32], availability: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Run the network once, see `protocol.Engine`."""
        self._request.infer([x, availability], share_inputs=True, share_outputs=True)
        return self._request.get_output_tensor(0).data[0]


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
