"""ONNX Runtime on the CPU, from the shipped ONNX export."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .cache import EngineCache
from .host import cpu_name, installed_version, usable_cores
from .protocol import Availability, Device, EngineInfo, Precision, Shape

if TYPE_CHECKING:
    from ..network.package import ModelPackage


class OnnxRuntimeBackend:
    """Opens a session on the export; it opens in well under a second, so nothing is cached."""

    name = "onnxruntime"

    def version(self) -> str | None:
        """Version of ONNX Runtime, None if it is not installed."""
        return installed_version("onnxruntime")

    def availability(self, device: Device, precision: Precision) -> Availability:
        """FP32 on any CPU."""
        if self.version() is None:
            return Availability.no("ONNX Runtime is not installed", "pip install onnxruntime")
        if device is not Device.CPU:
            return Availability.no(
                f"the installed ONNX Runtime does not run on {device}",
                "use --device cpu or another backend",
            )
        if precision is not Precision.FP32:
            return Availability.no(
                f"no {precision} engine is built with ONNX Runtime", "use --precision fp32"
            )
        return Availability.yes()

    def build(
        self,
        model: ModelPackage,
        shape: Shape,
        precision: Precision,
        device: Device,
        cache: EngineCache,
    ) -> OnnxRuntimeEngine:
        """Open a session on the export.

        :raises UnavailableError: the export has another static shape.
        """
        import onnxruntime

        started = time.perf_counter()
        model.require_export_of(shape)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            model.onnx(), options, providers=["CPUExecutionProvider"]
        )
        info = EngineInfo(
            backend=self.name,
            version=self.version() or "",
            device=device,
            device_name=cpu_name(),
            precision=precision,
            shape=shape,
            build_seconds=time.perf_counter() - started,
            settings={
                "threads": str(options.intra_op_num_threads),
                "provider": session.get_providers()[0],
            },
        )
        return OnnxRuntimeEngine(session, info)


class OnnxRuntimeEngine:
    """A session on the export."""

    def __init__(self, session: Any, info: EngineInfo) -> None:
        self.info = info
        self._session = session

    def __call__(
        self, x: NDArray[np.float32], availability: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Run the network once, see `protocol.Engine`."""
        feeds = {"x": x, "availability": availability}
        return self._session.run(["probabilities"], feeds)[0][0]


BACKEND = OnnxRuntimeBackend()
