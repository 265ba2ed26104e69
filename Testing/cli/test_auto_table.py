"""The table of what ``auto`` measured, in the summary of the run that it served."""

from __future__ import annotations

import json

from BrainSegAccelLib.backends.candidate import Candidate
from BrainSegAccelLib.cli.summary import _candidates
from BrainSegAccelLib.manifest.model import Selection
from rich.console import Console


def test_candidates_are_shown_fastest_first_with_their_reasons(capsys) -> None:
    usual = {"version": "1", "device": "cpu"}
    table = _candidates(
        Selection(
            requested_backend="auto",
            candidates=(
                Candidate(
                    **usual,
                    backend="tvm",
                    precision="fp32",
                    p50_ms=None,
                    delta_dice=None,
                    reason="not measured: takes about [90] s to build",
                ),
                Candidate(**usual, backend="eager", precision="fp32", p50_ms=900, delta_dice=0),
                Candidate(
                    **usual, backend="openvino", precision="int8", p50_ms=300, delta_dice=0.0012
                ),
            ),
            remembered=True,
        )
    )
    Console(width=120).print(table)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    shown = [line for line in lines if "cpu" in line]
    assert shown[0] == ["openvino", "int8", "cpu", "300", "0.0012"]
    assert shown[1] == ["eager", "fp32", "cpu", "900", "0.0000"]
    assert shown[2][:3] == ["tvm", "fp32", "cpu"]
    assert "[90]" in shown[2]


def test_a_run_with_auto_shows_its_table(run, case_dir, tmp_path, capsys) -> None:
    output = tmp_path / "found.nii.gz"
    assert run("segment", case_dir, "--output", output) == 0
    printed = capsys.readouterr().out
    manifest = json.loads((tmp_path / "found.manifest.json").read_text())
    candidates = manifest["runtime"]["selection"]["candidates"]
    measured = [c for c in candidates if c["p50_ms"] is not None]
    assert measured
    for candidate in measured:
        assert f"{candidate['backend']} {candidate['precision']} cpu" in printed
