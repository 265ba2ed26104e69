"""ONNX Runtime from the ONNX export, on the processor or through the provider of a GPU."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import RunError
from ..system.host import cpu_name, usable_cores
from .cache import EngineCache
from .protocol import Availability, Device, EngineInfo, Precision, Shape
from .runtime import Runtime

if TYPE_CHECKING:
    from ..models.description import Inputs
    from ..models.package import ModelPackage

PROVIDERS: dict[Device, tuple[str, dict[str, str]]] = {
    Device.CPU: ("CPUExecutionProvider", {}),
    # Without this, convolutions round to TF32 in what is called FP32 here.
    Device.CUDA: ("CUDAExecutionProvider", {"use_tf32": "0"}),
    Device.COREML: ("CoreMLExecutionProvider", {"ModelFormat": "MLProgram"}),
    Device.DIRECTML: ("DmlExecutionProvider", {}),
}
"""Execution provider of each device, with its options (onnxruntime.ai/docs/execution-providers)."""

PACKAGES = {
    Device.CUDA: "pip install onnxruntime-gpu in place of onnxruntime",
    Device.COREML: "use ONNX Runtime for macOS",
    Device.DIRECTML: "pip install onnxruntime-directml in place of onnxruntime, on Windows",
}


class OnnxRuntimeBackend(Runtime):
    """Opens a session on the export; it opens in well under a second, so nothing is cached."""

    name = "onnxruntime"
    title = "ONNX Runtime"
    distributions = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml")
    install = "pip install onnxruntime"
    from_export = opens_at_once = True
    fidelity = 2
    # Of the INT8 export it would compute 3D convolutions in FP32 all the same, between roundings.
    formats: ClassVar = dict.fromkeys(PROVIDERS, (Precision.FP32,))

    def lacks(self, device: Device, precision: Precision) -> Availability | None:
        """The provider of the device, which comes with one of the builds of ONNX Runtime."""
        if device is Device.CPU:
            return None
        import onnxruntime

        provider, _ = PROVIDERS[device]
        if provider in onnxruntime.get_available_providers():
            return None
        return Availability.no(
            f"the installed ONNX Runtime has no {provider}",
            f"{PACKAGES[device]}, or use --device cpu",
        )

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
        :raises RunError: the provider is there but does not start, e.g. for want of CUDA.
        """
        import onnxruntime

        started = time.perf_counter()
        model.require_export_of(shape)
        provider, provider_options = PROVIDERS[device]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            model.onnx().whole(), options, providers=[(provider, provider_options)]
        )
        # A provider that does not start is replaced by the processor without a word.
        if session.get_providers()[0] != provider:
            raise RunError(
                f"{provider} does not start",
                where=self.name,
                remedy="check its libraries and driver, or use --device cpu",
            )
        info = EngineInfo(
            backend=self.name,
            version=self.version() or "",
            device=device,
            device_name=cpu_name() if device is Device.CPU else provider,
            precision=precision,
            shape=shape,
            build_seconds=time.perf_counter() - started,
            settings={
                "threads": str(options.intra_op_num_threads),
                "provider": provider,
                "tf32": "off",
            },
        )
        return OnnxRuntimeEngine(session, info, model.card.inputs)


class OnnxRuntimeEngine:
    """A session on the export."""

    def __init__(self, session: Any, info: EngineInfo, inputs: Inputs) -> None:
        self.info = info
        self._inputs = inputs
        self._session = session

    def __call__(
        self, x: NDArray[np.float32], availability: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Run the network once, see `protocol.Engine`."""
        given = self._inputs.feed(x, availability)
        names = (each.name for each in self._session.get_inputs())
        return self._session.run(None, dict(zip(names, given, strict=True)))[0][0]


BACKEND = OnnxRuntimeBackend()
