"""The command as a process: fast, quiet, and clean when it is stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from BrainSegAccelLib.cli.services import seconds_since_start
from BrainSegAccelLib.resources import resource

COMMAND = [sys.executable, "-m", "BrainSegAccelLib.cli.main"]
HEAVY = ("numpy", "SimpleITK", "openvino", "onnxruntime", "torch", "matplotlib")

# A process of its own, with real pipelines of the tiny model, whatever model is asked for.
TINY = """
import sys
from pathlib import Path
from BrainSegAccelLib.backends.cache import EngineCache
from BrainSegAccelLib.cli.main import main
from BrainSegAccelLib.cli.services import Services
from BrainSegAccelLib.runs.pipeline import Pipeline
card, cache, *arguments = sys.argv[1:]
cache = EngineCache(Path(cache))
pipeline = lambda model, engine: Pipeline(card, engine, cache)
sys.exit(main(arguments, Services(pipeline)))
"""


def tiny(card: Path, tmp_path: Path, *arguments: object) -> list[str]:
    return [sys.executable, "-c", TINY, str(card), str(tmp_path / "cache"), *map(str, arguments)]


def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


@pytest.mark.parametrize("arguments", [["--help"], ["segment", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from BrainSegAccelLib.cli.main import main;"
        f"code = main({arguments!r});"
        f"found = [name for name in {HEAVY!r} if name in sys.modules];"
        "sys.exit(f'imported {found}' if found else code)"
    )
    done = run([sys.executable, "-c", code])
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_help_answers_at_once() -> None:
    """Well under a second; the best of three, because the machine may be busy."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        assert "segment" in run([*COMMAND, "--help"]).stdout
        times.append(time.perf_counter() - started)
    assert min(times) < 1.0


@pytest.mark.parametrize(
    "command", ["segment", "batch", "phantom", "demo", "evaluate", "info", "export"]
)
def test_every_command_has_help(command: str) -> None:
    done = run([*COMMAND, command, "--help"])
    assert done.returncode == 0
    assert command in done.stdout


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["segment"], ["evaluate", "a"]])
def test_usage_errors_are_one_line(arguments: list[str]) -> None:
    done = run([*COMMAND, *arguments])
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "--help shows what can be given" in done.stderr


def test_cold_run_counts_the_start_of_the_process(tiny_card, case_dir, tmp_path) -> None:
    command = tiny(tiny_card, tmp_path, "segment", case_dir, "--output", tmp_path / "out.nrrd")
    started = time.perf_counter()
    done = run([*command, "--backend", "onnxruntime"])
    wall_ms = 1000 * (time.perf_counter() - started)
    assert done.returncode == 0, done.stderr
    latency = json.loads((tmp_path / "out.manifest.json").read_text())["latency"]
    assert next(iter(latency["stages_ms"])) == "process start"
    assert 50 < latency["stages_ms"]["process start"] < wall_ms
    assert latency["total_ms"] < wall_ms + 50
    assert "included" in latency["total_includes"]


def test_the_stages_are_the_whole_run(tmp_path) -> None:
    """As a user would run it, the start of the process included; the machine may be busy once."""
    case = resource("SampleData", "phantom")
    command = [*COMMAND, "segment", str(case), "--output", str(tmp_path / "out.nrrd")]
    shares = []
    for _ in range(3):
        started = time.perf_counter()
        done = run([*command, "--backend", "openvino"])
        wall_ms = 1000 * (time.perf_counter() - started)
        assert done.returncode == 0, done.stderr
        latency = json.loads((tmp_path / "out.manifest.json").read_text())["latency"]
        shares.append(latency["total_ms"] / wall_ms)
    assert 0.97 <= max(shares) <= 1.0


def test_a_damaged_engine_is_one_line_and_no_failure(tiny_card, case_dir, tmp_path) -> None:
    command = tiny(tiny_card, tmp_path, "segment", case_dir, "--output", tmp_path / "out.nrrd")
    command = [*command, "--backend", "openvino"]
    assert run(command).returncode == 0
    (entry,) = (tmp_path / "cache" / "engines").iterdir()
    entry.write_bytes(entry.read_bytes()[:-1])
    done = run(command)
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if "damaged" in line)
    assert line == f"brainsegaccel: {entry.name}: damaged cache entry, building it again"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_leaves_no_partial_file(
    tiny_card, case_dir, tmp_path, number
) -> None:
    """The endless benchmark runs while the segmentation lies half-way, under a hidden name."""
    output = tmp_path / "out"
    output.mkdir()
    (output / "x.nii.gz").write_text("old")
    command = tiny(tiny_card, tmp_path, "segment", case_dir, "--output", output / "x.nii.gz")
    process = subprocess.Popen(
        [*command, "--backend", "onnxruntime", "--benchmark", "1000000"],
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts background jobs with SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("benchmark"):
                break
        assert any(path.name.startswith(".") for path in output.iterdir())
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert stderr.splitlines()[-1] == "brainsegaccel: interrupted"
    assert [path.name for path in output.iterdir()] == ["x.nii.gz"]
    assert (output / "x.nii.gz").read_text() == "old"


def test_broken_pipe_is_no_traceback() -> None:
    process = subprocess.Popen(
        [*COMMAND, "info", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    stderr = process.stderr.read()
    assert process.wait(timeout=60) in (0, 1)
    assert stderr == b""


def test_time_since_the_start_of_this_process() -> None:
    code = (
        "import time; from BrainSegAccelLib.cli.services import seconds_since_start as since;"
        "a = since(); time.sleep(0.3); print(a, since() - a)"
    )
    started = time.perf_counter()
    first, slept = map(float, run([sys.executable, "-c", code]).stdout.split())
    assert 0 < first < time.perf_counter() - started
    assert slept == pytest.approx(0.3, abs=0.1)
    assert seconds_since_start() > 0
