"""Models, backends, precisions and networks of others, measured on one case in one run."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..backends.cache import EngineCache
from ..backends.choice import EngineChoice
from ..backends.protocol import Device
from ..errors import InputError, RunError
from ..inference.sliding_window import sliding_window_inference
from ..io.labelled import GRID_TOLERANCE_MM, label_file
from ..io.read import read_study
from ..io.read_labels import read_labels
from ..io.source import Source, find_sources
from ..io.write import write_segmentation
from ..manifest.model import (
    END_TO_END_INCLUDES,
    MODEL_ONLY_INCLUDES,
    LatencySummary,
    Manifest,
    QualityRetention,
    ReferenceRun,
    Software,
    Timing,
)
from ..manifest.retention import quality_retention
from ..metrics.latency import Samples, check_iterations, measure_interleaved
from ..preprocessing.network_input import NetworkInput
from ..runs.checks import reference_pipeline
from ..runs.options import RunOptions
from ..runs.progress import Progress
from ..runs.runner import PipelineFactory, Runner
from ..settings import arguments_of, checked
from ..study.modality import Modality
from ..study.segmentation import Segmentation
from ..study.study import Study
from ..system.hardware import probe_environment, probe_hardware
from ..system.host import child_environment
from .report import (
    NO_RECIPE,
    PEER_INCLUDES,
    RECIPE_INCLUDES,
    SCHEMA_VERSION,
    BenchmarkReport,
    FailedRow,
    PeerRow,
    Row,
    complete,
)

if TYPE_CHECKING:
    from .peer_process import PeerProcess


class Combination(NamedTuple):
    """What is measured, by name; for a peer only its own name, as ``model``."""

    model: str
    backend: str = ""
    precision: str = ""


RECIPE = "segresnet"
"""The peer that is also timed end to end."""


@dataclass(frozen=True)
class Request:
    """What to measure.

    :param case: folder of a case; with labels in it, quality is scored against them.
    :param combinations: models are names of shipped ones, or paths of a model card or its folder.
    :param options: of every run; model and engine are those of the combinations.
    :param peers: names of `peers.PEERS`.
    :param iterations: timed ones of each candidate.
    """

    case: Path
    combinations: tuple[Combination, ...]
    device: str
    peers: tuple[str, ...]
    iterations: int
    options: RunOptions = field(default_factory=RunOptions)

    def asked(self, name: Combination) -> RunOptions:
        """Return what a run of a combination is asked for."""
        engine = {"backend": name.backend, "precision": name.precision, "device": self.device}
        chosen = {"model": name.model, "engine": checked(EngineChoice, engine)}
        return self.options.model_copy(update=chosen)

    @property
    def peer_device(self) -> Device:
        """Where networks of others run: on an NVIDIA GPU if that was asked for, else on the CPU."""
        return Device.CUDA if self.device == Device.CUDA else Device.CPU


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A combination that runs here.

    :param cold: manifest of a new process with the engine in its cache.
    """

    pipeline: Runner
    cold: Manifest
    first_build_seconds: float
    quality: QualityRetention


def run_bench(
    request: Request, make_pipeline: PipelineFactory, progress: Progress
) -> BenchmarkReport:
    """Measure all that runs here; what does not is in the report with its reason.

    :raises InputError: too few iterations; a case that cannot be read.
    :raises RunError: nothing that was asked for runs.
    """
    check_iterations(request.iterations)
    sources = find_sources(request.case)
    study = read_study(sources)
    references: dict[str, _Reference] = {}
    candidates: dict[Combination, _Candidate] = {}
    failed = []
    for name in request.combinations:
        progress.begin(f"{' '.join(name)}: build, cold runs, quality")
        if name.model not in references:
            references[name.model] = _Reference(request, name, study, make_pipeline)
        try:
            candidates[name] = _prepared(request, name, make_pipeline, references[name.model])
        except Exception as error:  # One that does not run is a row of the report.
            failed.append(_failed(name, error))
    if not candidates:
        reasons = "; ".join(f"{f.backend} {f.precision}: {f.reason}" for f in failed)
        raise RunError(f"nothing that was asked for runs here ({reasons})", where="bench")
    with ExitStack() as stack:
        peers, not_started = _peers(request, candidates, sources, stack)
        given = {model: each.network_input for model, each in references.items()}
        model_only = _model_only(request, candidates, peers, given, progress)
        end_to_end = _end_to_end(request, candidates, peers, sources, progress)
    return BenchmarkReport(
        schema_version=SCHEMA_VERSION,
        created_utc=datetime.now(UTC),
        software=Software.this(),
        hardware=probe_hardware(),
        environment=probe_environment(),
        rows=tuple(
            Row(
                manifest=complete(
                    candidate.cold,
                    LatencySummary(
                        model_only=Timing.of(model_only[name], MODEL_ONLY_INCLUDES),
                        end_to_end=Timing.of(end_to_end[name], END_TO_END_INCLUDES),
                    ),
                    candidate.quality,
                ),
                first_build_seconds=candidate.first_build_seconds,
            )
            for name, candidate in candidates.items()
        ),
        failed=(*failed, *not_started),
        peers=tuple(
            _peer_row(
                peer,
                model_only[Combination(peer.name)],
                end_to_end.get(Combination(peer.name)),
            )
            for peer in peers
        ),
    )


def _peer_row(peer: PeerProcess, model_only: Samples, end_to_end: Samples | None) -> PeerRow:
    whole = RECIPE_INCLUDES.format(device=peer.device)
    return PeerRow(
        name=peer.name,
        title=peer.title,
        parameters=peer.parameters,
        model_only=Timing.of(model_only, PEER_INCLUDES.format(device=peer.device)),
        end_to_end=Timing.of(end_to_end, whole)
        if end_to_end
        else Timing.not_measured(whole, NO_RECIPE),
    )


class _Reference:
    """The FP32 reference run of a model, and what both runs are scored against."""

    def __init__(
        self, request: Request, name: Combination, study: Study, make_pipeline: PipelineFactory
    ) -> None:
        self.study = study
        result = reference_pipeline(make_pipeline, name.model).run(study, request.options)
        self._found = result.segmentation
        self.network_input = result.network_input
        self._run = ReferenceRun.of(result.engine)
        self._truth = _truth(request.case, self._found)

    def compare(self, found: Segmentation) -> QualityRetention:
        """Say what a run lost."""
        return quality_retention(found, self._found, self._run, self._truth)


def _truth(case: Path, found: Segmentation) -> Segmentation | None:
    """Return the labels of a case if there are some, and on the grid of the results."""
    try:
        labels = read_labels(label_file(case), found.scheme)
    except InputError:
        return None
    return labels if labels.grid.same_as(found.grid, GRID_TOLERANCE_MM) else None


def _failed(name: Combination, error: Exception) -> FailedRow:
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    return FailedRow(**name._asdict(), reason=reason)


def _prepared(
    request: Request, name: Combination, make_pipeline: PipelineFactory, expected: _Reference
) -> _Candidate:
    """Build the engine in a cache of its own: once, by the first process that runs it."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder, "cache")
        asked = request.asked(name)
        pipeline = make_pipeline(asked.model, asked.engine, cache=EngineCache(cache))
        first, cold = (_cold_run(request, name, Path(folder), cache) for _ in range(2))
        found = pipeline.run(expected.study, asked).segmentation
        quality = expected.compare(found)
    return _Candidate(pipeline, cold, first.runtime.engine.seconds, quality)


def _cold_run(request: Request, name: Combination, folder: Path, cache: Path) -> Manifest:
    """Segment the case in a process of its own, which writes into ``folder``."""
    output = folder / "found.nii.gz"
    command = [sys.executable, "-m", f"{__package__.partition('.')[0]}.cli.main", "segment"]
    command += [str(request.case), "--output", str(output), *arguments_of(request.asked(name))]
    done = subprocess.run(
        command,
        env=child_environment(BRAINSEGACCEL_CACHE=str(cache)),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RunError(
            f"a process of its own failed: {done.stderr.strip().splitlines()[-1:]}",
            where=name.backend,
        )
    return Manifest.model_validate_json((folder / "found.manifest.json").read_bytes())


def _peers(
    request: Request,
    candidates: Mapping[Combination, _Candidate],
    sources: Mapping[Modality, Source],
    stack: ExitStack,
) -> tuple[list[PeerProcess], list[FailedRow]]:
    """Start the peers and have each run once; also say which do not, and why.

    What has run once has all the memory that it needs: it will not die amid the timed runs.
    """
    from .peer_process import PeerProcess

    shape = next(iter(candidates.values())).pipeline.package.card.inference.window
    files = {str(m): str(source) for m, source in sources.items() if _is_nifti(source)}
    whole = files if len(files) == len(Modality) else None
    peers, failed = [], []
    for name in request.peers:
        try:
            given = whole if name == RECIPE else None
            peer = PeerProcess(name, shape, given, request.peer_device)
            stack.enter_context(peer)
            peer.run()
            if peer.has_recipe:
                peer.run_recipe()
            peers.append(peer)
        except RunError as error:
            failed.append(_failed(Combination(name, "eager", "fp32"), error))
    return peers, failed


def _is_nifti(source: Source) -> bool:
    return isinstance(source, Path) and source.name.endswith((".nii", ".nii.gz"))


def _model_only(
    request: Request,
    candidates: Mapping[Combination, _Candidate],
    peers: Sequence[PeerProcess],
    given: Mapping[str, NetworkInput],
    progress: Progress,
) -> dict[Combination, Samples]:
    """Time the engines and the peers in turn.

    :param given: what the networks are given, by model.
    """
    progress.begin(f"model only, {request.iterations} iterations of each in turn")
    runs: dict[Combination, Callable[[], object]] = {
        name: partial(
            sliding_window_inference,
            each.pipeline.warm(),
            given[name.model].x,
            given[name.model].availability,
            each.pipeline.package.card.inference,
            each.pipeline.package.card.outputs,
        )
        for name, each in candidates.items()
    }
    runs.update({Combination(peer.name): peer.run for peer in peers})
    return measure_interleaved(runs, request.iterations)


def _end_to_end(
    request: Request,
    candidates: Mapping[Combination, _Candidate],
    peers: Sequence[PeerProcess],
    sources: Mapping[Modality, Source],
    progress: Progress,
) -> dict[Combination, Samples]:
    """Time files to file in warm processes, in turn; with MONAI's recipe if that is a peer."""
    progress.begin(f"end to end, {request.iterations} iterations of each in turn")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "found.nii.gz")

        def whole(pipeline: Runner) -> None:
            found = pipeline.run(read_study(sources), request.options)
            write_segmentation(found.segmentation, output)

        runs: dict[Combination, Callable[[], object]] = {
            name: partial(whole, each.pipeline) for name, each in candidates.items()
        }
        runs.update({Combination(p.name): p.run_recipe for p in peers if p.has_recipe})
        return measure_interleaved(runs, request.iterations)
