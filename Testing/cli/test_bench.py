"""``bench`` on a tiny model: processes of its own, turns, and what the report holds."""

from __future__ import annotations

import json

import pytest
import SimpleITK as sitk
from BrainSegAccelLib.backends.protocol import Device
from BrainSegAccelLib.benchmark import peer_process
from BrainSegAccelLib.benchmark.bench import Combination, Request, run_bench
from BrainSegAccelLib.benchmark.page import to_markdown
from BrainSegAccelLib.cli.progress import progress_on_stderr
from BrainSegAccelLib.manifest.schema import validate


@pytest.mark.slow
def test_every_row_is_a_whole_manifest(
    run, tiny_card, case_dir, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("BRAINSEGACCEL_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "bench"
    arguments = ["--case", case_dir, "--model", tiny_card, "--output", folder]
    chosen = ["--backends", "openvino,onnxruntime", "--precisions", "fp32,int8"]
    assert run("bench", *arguments, *chosen) == 0
    printed = capsys.readouterr().out.split()
    assert printed == [str(folder / f"benchmarks{suffix}") for suffix in (".json", ".md", ".png")]
    report = json.loads((folder / "benchmarks.json").read_text())
    assert [row["manifest"]["runtime"]["backend"] for row in report["rows"]] == [
        "openvino",
        "onnxruntime",
    ]
    for row in report["rows"]:
        manifest = row["manifest"]
        validate(manifest)
        for timing in ("model_only", "end_to_end"):
            assert manifest["latency"][timing]["iterations"] == 20
        assert manifest["latency"]["stages_ms"]["process start"] > 0
        assert manifest["runtime"]["engine"]["cache_hit"] in (True, None)
        assert min(manifest["quality_retention"]["agreement_dice"].values()) > 0.99
        assert row["first_build_seconds"] > 0
    assert {(f["backend"], f["precision"]) for f in report["failed"]} == {
        ("openvino", "int8"),
        ("onnxruntime", "int8"),
    }
    reasons = {f["backend"]: f["reason"] for f in report["failed"]}
    assert "export --int8" in reasons["openvino"]
    assert "engines are fp32" in reasons["onnxruntime"]
    text = (folder / "benchmarks.md").read_text()
    for row in report["rows"]:
        p50 = row["manifest"]["latency"]["model_only"]["p50_ms"]
        assert f"| {row['manifest']['runtime']['backend']} | fp32 | {p50:.0f} /" in text
    assert (folder / "benchmarks.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("peer", "reason"),
    [
        ("absent", "its process ended: KeyError: 'absent'"),
        # Its recipe, which registers nothing, cannot stack volumes of two sizes.
        ("segresnet", "its process ended: "),
    ],
)
def test_a_network_of_others_that_does_not_run_is_a_row_of_the_report(
    services, tiny_card, case_dir, peer, reason
) -> None:
    flair = case_dir / "flair.nii.gz"
    sitk.WriteImage(sitk.ReadImage(flair)[:, :, :-3], flair)
    own = Combination(str(tiny_card), "openvino", "fp32")
    request = Request(case_dir, (own,), device="cpu", peers=(peer,), iterations=20)
    with progress_on_stderr() as progress:
        report = run_bench(request, services.make_pipeline, progress)
    assert len(report.rows) == 1
    assert not report.peers
    (failed,) = report.failed
    assert (failed.model, failed.backend, failed.precision) == (peer, "eager", "fp32")
    assert reason in failed.reason


@pytest.mark.slow
def test_an_engine_is_built_once_and_for_the_bench_alone(
    services, tiny_card, case_dir, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("BRAINSEGACCEL_CACHE", str(tmp_path / "cache"))
    made = []

    def make_pipeline(*request, **options):
        made.append(services.make_pipeline(*request, **options))
        return made[-1]

    own = Combination(str(tiny_card), "openvino", "fp32")
    request = Request(case_dir, (own,), device="cpu", peers=(), iterations=20)
    with progress_on_stderr() as progress:
        (row,) = run_bench(request, make_pipeline, progress).rows
    reference, candidate = (pipeline.warm().info for pipeline in made)
    assert reference.cache_hit is None
    assert candidate.cache_hit
    assert row.manifest.runtime.engine.cache_hit
    assert row.manifest.runtime.engine.cache_key == candidate.cache_key
    assert row.first_build_seconds > candidate.build_seconds
    assert not (tmp_path / "cache").exists()


@pytest.mark.slow
def test_networks_of_others_run_where_the_bench_does(
    services, tiny_card, case_dir, monkeypatch
) -> None:
    pytest.importorskip("monai")
    asked = []

    class Recorded(peer_process.PeerProcess):
        def __init__(self, name, shape, files, device) -> None:
            asked.append(device)
            super().__init__(name, shape, files, device)

    monkeypatch.setattr(peer_process, "PeerProcess", Recorded)
    own = Combination(str(tiny_card), "onnxruntime", "fp32")
    request = Request(case_dir, (own,), device="cpu", peers=("mambaunet",), iterations=20)
    with progress_on_stderr() as progress:
        report = run_bench(request, services.make_pipeline, progress)
    (peer,) = report.peers
    assert asked == [Device.CPU]
    assert "FP32 eager pass on cpu" in peer.model_only.includes
    assert "SegResNet on cpu" in peer.end_to_end.includes
    text = to_markdown(report, "a.png")
    assert peer.model_only.includes in text
    assert peer.end_to_end.includes in text


@pytest.mark.parametrize(
    ("device", "of_peers"),
    [
        ("cpu", Device.CPU),
        ("cuda", Device.CUDA),
        ("coreml", Device.CPU),
        ("directml", Device.CPU),
        ("auto", Device.CPU),
    ],
)
def test_a_device_that_networks_of_others_do_not_know_is_the_cpu_for_them(
    tmp_path, device: str, of_peers: Device
) -> None:
    assert Request(tmp_path, (), device, peers=(), iterations=20).peer_device is of_peers


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--iterations", "5"], "too few for percentiles"),
        (["--backends", "cudnn"], "unknown backend 'cudnn'"),
        (["--device", "auto", "--backends", "cudnn"], "unknown backend 'cudnn'"),
        (["--precisions", "fp8"], "unknown precision 'fp8'"),
        (["--peers", "unet"], "unknown network 'unet'"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(
    run, tiny_card, case_dir, tmp_path, capsys, arguments: list[str], message: str
) -> None:
    folder = tmp_path / "bench"
    given = ["--case", case_dir, "--model", tiny_card, "--output", folder, *arguments]
    assert run("bench", *given) == 2
    assert message in capsys.readouterr().err
    assert not folder.exists()
