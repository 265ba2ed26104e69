"""``evaluate --cases``: from folders of cases to a report."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from BrainSegAccelLib.cli.main import main
from BrainSegAccelLib.cli.services import Services
from BrainSegAccelLib.evaluation.schema import shipped_evaluation_schema


@pytest.fixture
def cases(tmp_path: Path, write_case) -> Path:
    """A folder with two good cases."""
    labels = np.zeros((30, 40, 28), dtype=np.uint8)
    labels[8:20, 10:24, 8:20] = 2
    labels[10:16, 13:20, 10:16] = 4
    for name in ("a", "b"):
        write_case(tmp_path / "cases" / name, labels)
    return tmp_path / "cases"


def load(path: Path) -> dict:
    document = json.loads(path.read_text())
    jsonschema.validate(document, json.loads(shipped_evaluation_schema().read_text()))
    return document


def test_report_on_stdout_and_in_a_folder(run, cases, tmp_path, capsys) -> None:
    output = tmp_path / "report"
    arguments = ("evaluate", "--cases", cases, "--output", output, "--backend", "openvino")
    assert run(*arguments, "--subsets") == 0
    stdout, stderr = capsys.readouterr()
    assert sorted(path.name for path in output.iterdir()) == ["evaluation.json", "evaluation.md"]
    assert (output / "evaluation.md").read_text() == stdout
    document = load(output / "evaluation.json")
    assert [case["case"] for case in document["cases"]] == ["a", "b"]
    assert len(document["subsets"]) == 15
    assert document["model"]["name"] == "tiny"
    assert "| T1, T1c, T2, FLAIR | 2 |" in stdout
    lines = stderr.splitlines()
    assert "case 1 of 2, a ..." in lines
    assert any(line.startswith("case 2 of 2, b ... (about ") for line in lines)


def test_the_case_itself_as_json(run, cases, capsys) -> None:
    assert run("evaluate", "--cases", cases / "a", "--json", "--backend", "openvino") == 0
    document = json.loads(capsys.readouterr().out)
    assert [case["case"] for case in document["cases"]] == ["a"]
    assert document["subsets"] == []


def test_a_broken_case_is_told_by_report_message_and_exit_code(
    run, cases, tmp_path, capsys
) -> None:
    (cases / "a" / "t2.nii.gz").write_bytes(b"")
    output = tmp_path / "report"
    assert run("evaluate", "--cases", cases, "--output", output, "--backend", "openvino") == 1
    stdout, stderr = capsys.readouterr()
    assert "a/t2.nii.gz: empty file" in stdout
    assert stderr.splitlines()[-1] == (
        f"brainsegaccel: {cases}: 1 of 2 cases failed (a); the report says why"
    )
    document = load(output / "evaluation.json")
    assert [failed["case"] for failed in document["failed"]] == ["a"]
    assert str(tmp_path) not in (output / "evaluation.json").read_text()


REFUSED = {
    "no such folder": (["--cases", "nowhere"], "nowhere: cannot be listed"),
    "no cases": (["--cases", "empty"], "empty: holds no case"),
    "nothing to do": ([], "give PREDICTION and REFERENCE, or --cases DIR; brainsegaccel evaluate"),
    "two things to do": (["p.nii", "r.nii", "--cases", "empty"], "two different things"),
    "options without effect": (["p.nii", "r.nii", "--subsets"], "--subsets: has an effect only"),
    "backend without effect": (
        ["p.nii", "r.nii", "--backend", "eager"],
        "--backend: has an effect",
    ),
    "labels of no model": (["p.nii", "r.nii", "--model", "no"], "no model named 'no'"),
    "unknown backend": (["--cases", "cases", "--backend", "quantum"], "unknown backend 'quantum'"),
    "unknown model": (["--cases", "cases", "--model", "no"], "no model named 'no'; give one of"),
    "output of no folder": (["--cases", "cases", "--output", "no/report"], "cannot be made"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_in_one_line(
    run, cases, tmp_path, monkeypatch, capsys, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert run("evaluate", *arguments) == 2
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert len(stderr.splitlines()) == 1
    assert message in stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cases", "empty"]


def test_an_unknown_backend_leaves_no_new_folder(run, cases, tmp_path) -> None:
    output = tmp_path / "report"
    assert run("evaluate", "--cases", cases, "--output", output, "--backend", "quantum") == 2
    assert not output.exists()


def test_cancelled_in_the_middle_leaves_nothing(services, cases, tmp_path, capsys) -> None:
    class Cancelled:
        """A real pipeline that is interrupted in its second run."""

        def __init__(self, *request) -> None:
            self._pipeline = services.make_pipeline(*request)
            self.package, self.choice, self.warm = (
                self._pipeline.package,
                None,
                self._pipeline.warm,
            )
            self._runs = 0

        def run(self, *given):
            self._runs += 1
            if self._runs == 2:
                raise KeyboardInterrupt
            return self._pipeline.run(*given)

    output = tmp_path / "report"
    arguments = ["evaluate", "--cases", str(cases), "--output", str(output)]
    assert main([*arguments, "--backend", "openvino"], Services(Cancelled, None)) == 130
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert stderr.splitlines()[-1] == "brainsegaccel: interrupted"
    assert not output.exists()
