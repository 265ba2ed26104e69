from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from BrainSegAccelLib.errors import InputError, RunError
from BrainSegAccelLib.io.atomic import atomic_write, check_place, remove_left


def test_old_file_stays_until_the_end(tmp_path: Path):
    path = tmp_path / "case.manifest.json"
    path.write_text("old")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert temporary.name.endswith(".manifest.json")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == [path.name]


def write_half(path: Path, then: BaseException) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text("half")
        raise then


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, ValueError])
def test_interruption_leaves_everything_as_it_was(tmp_path: Path, interruption):
    path = tmp_path / "x.nii.gz"
    path.write_text("old")
    with pytest.raises(interruption):
        write_half(path, interruption())
    assert os.listdir(tmp_path) == ["x.nii.gz"]
    assert path.read_text() == "old"


def test_refusal_of_the_system_is_told_in_one_line(tmp_path: Path):
    full = OSError(28, "No space left on device")
    with pytest.raises(RunError, match=r"x\.nrrd: cannot write: No space left on device; free"):
        write_half(tmp_path / "x.nrrd", full)
    assert os.listdir(tmp_path) == []


def test_link_is_followed(tmp_path: Path):
    (tmp_path / "archive").mkdir()
    real, link = tmp_path / "archive" / "real.nrrd", tmp_path / "link.nrrd"
    link.symlink_to(real)
    with atomic_write(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_good_place_is_accepted_and_left_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    check_place(tmp_path / "x.nrrd")
    monkeypatch.chdir(tmp_path)
    check_place(Path("x.nrrd"))
    assert os.listdir(tmp_path) == []


def test_missing_folder_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"x\.nrrd: folder .*none does not exist; create it"):
        check_place(tmp_path / "none" / "x.nrrd")


def test_folder_instead_of_a_file_is_refused(tmp_path: Path):
    (tmp_path / "x.nrrd").mkdir()
    with pytest.raises(InputError, match="is a folder; give the name of a file"):
        check_place(tmp_path / "x.nrrd")


def test_what_renaming_would_destroy_is_refused(tmp_path: Path):
    pipe = tmp_path / "x.nrrd"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="is not a plain file"):
        check_place(pipe)
    with pytest.raises(InputError, match="is not a plain file"), atomic_write(pipe):
        pass
    assert pipe.is_fifo()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder nobody can write to")
def test_folder_that_cannot_be_written_is_refused():
    with pytest.raises(InputError, match=r"folder /proc cannot be written: .*; choose"):
        check_place(Path("/proc/x.nrrd"))


KILLED = """
import os, signal, sys
from pathlib import Path
from BrainSegAccelLib.io.atomic import atomic_write
with atomic_write(Path(sys.argv[1])) as beside:
    beside.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "x.json"
    target.parent.mkdir()
    target.write_text("old")
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(target)])
    process.wait()
    assert len(list(target.parent.iterdir())) == 2
    remove_left(tmp_path, process.pid)
    assert list(target.parent.iterdir()) == [target]
    assert target.read_text() == "old"
