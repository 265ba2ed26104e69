from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from BrainSegAccelLib.backends.cache import EngineCache, EngineKey, size_limit
from BrainSegAccelLib.backends.runtime import load_or_make
from BrainSegAccelLib.errors import InputError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KEY = EngineKey(
    weights_sha256="a" * 64,
    network_sha256="b" * 64,
    shape=(160, 192, 160),
    precision="fp32",
    backend="test",
    backend_version="1.0",
    device_name="a CPU",
)


def test_what_was_written_is_read(engine_cache: EngineCache) -> None:
    assert engine_cache.read(KEY) is None
    assert engine_cache.write(KEY, b"engine")
    assert engine_cache.read(KEY) == b"engine"
    assert [path.name for path in engine_cache.folder.iterdir()] == [engine_cache.path(KEY).name]


@pytest.mark.parametrize(
    "change",
    [
        {"weights_sha256": "c" * 64},
        {"network_sha256": "c" * 64},
        {"shape": (160, 160, 160)},
        {"precision": "bf16"},
        {"backend": "other"},
        {"backend_version": "1.1"},
        {"device_name": "another CPU"},
        {"driver": "580"},
        {"export_sha256": "d" * 64},
        {"calibration_sha256": "d" * 64},
        {"settings": "threads"},
    ],
)
def test_every_field_of_the_key_counts(engine_cache: EngineCache, change: dict) -> None:
    engine_cache.write(KEY, b"engine")
    assert engine_cache.read(replace(KEY, **change)) is None


@given(position=st.integers(0, 400), bit=st.integers(0, 7))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_flipped_bit_is_noticed(engine_cache: EngineCache, position: int, bit: int) -> None:
    engine_cache.write(KEY, bytes(range(100)))
    path = engine_cache.path(KEY)
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1 << bit
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="damaged cache entry"):
        assert engine_cache.read(KEY) is None
    assert not path.exists()


@pytest.mark.parametrize("length", [0, 5, 30, 48, 100])
def test_a_truncated_entry_is_noticed(engine_cache: EngineCache, length: int) -> None:
    engine_cache.write(KEY, b"engine" * 100)
    path = engine_cache.path(KEY)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.warns(UserWarning, match="damaged cache entry"):
        assert engine_cache.read(KEY) is None


def test_an_entry_of_another_key_under_this_name_is_noticed(engine_cache: EngineCache) -> None:
    foreign = replace(KEY, precision="bf16")
    engine_cache.write(foreign, b"foreign")
    engine_cache.path(foreign).rename(engine_cache.path(KEY))
    with pytest.warns(UserWarning, match="damaged cache entry"):
        assert engine_cache.read(KEY) is None


def test_a_folder_that_cannot_be_made_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache = EngineCache(tmp_path / "file")
    with pytest.warns(UserWarning, match="not cached"):
        assert not cache.write(KEY, b"engine")
    assert cache.read(KEY) is None


def test_an_entry_that_cannot_be_replaced_is_a_warning(engine_cache: EngineCache) -> None:
    engine_cache.path(KEY).mkdir(parents=True)
    with pytest.warns(UserWarning, match="not cached"):
        assert not engine_cache.write(KEY, b"engine")
    assert engine_cache.read(KEY) is None


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder nobody can write to")
def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "engines").symlink_to("/proc/self")
    with pytest.warns(UserWarning, match="not cached"):
        assert not EngineCache(tmp_path).write(KEY, b"engine")


def _sized(name: str) -> EngineKey:
    return replace(KEY, backend=name)


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    EngineCache(tmp_path).write(_sized("a"), bytes(800))
    cache = EngineCache(tmp_path, limit=3 * EngineCache(tmp_path).entries()[0].size)
    for second, name in enumerate("abc"):
        cache.write(_sized(name), bytes(800))
        os.utime(cache.path(_sized(name)), (second, second))
    assert cache.read(_sized("a")) is not None, "reading makes it recent"
    cache.write(_sized("d"), bytes(800))
    assert {entry.key["backend"] for entry in cache.entries()} == {"a", "c", "d"}


def test_an_engine_larger_than_the_limit_is_kept_until_the_next(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path, limit=1000)
    cache.write(_sized("large"), bytes(5000))
    assert cache.read(_sized("large")) == bytes(5000)
    cache.write(_sized("small"), bytes(10))
    assert [entry.key["backend"] for entry in cache.entries()] == ["small"]


@pytest.mark.parametrize(("given", "limit"), [(None, 4 << 30), ("0.5", 500_000_000)])
def test_the_limit_can_be_set(
    given: str | None, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BRAINSEGACCEL_CACHE_GB", raising=False)
    if given:
        monkeypatch.setenv("BRAINSEGACCEL_CACHE_GB", given)
    assert size_limit() == limit


def test_a_limit_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAINSEGACCEL_CACHE_GB", "many")
    with pytest.raises(InputError, match="not a number of GB"):
        EngineCache()


def test_entries_tell_their_key_and_a_stranger_none(engine_cache: EngineCache) -> None:
    engine_cache.write(KEY, b"engine")
    (engine_cache.folder / "stranger.engine").write_bytes(b"BSAENG1\n" + bytes(100))
    keys = {entry.path.name: dict(entry.key) for entry in engine_cache.entries()}
    assert keys == {engine_cache.path(KEY).name: KEY.fields, "stranger.engine": {}}


def test_clearing_leaves_nothing_but_what_is_not_ours(engine_cache: EngineCache) -> None:
    engine_cache.write(KEY, b"engine")
    root = engine_cache.folder.parent
    (engine_cache.folder / ".123-abcd.left.engine").write_bytes(b"half")
    (root / "choices").mkdir()
    (root / "choices" / "a.json").write_text("[]")
    (root / "stages.json").write_text("{}")
    assert engine_cache.clear() > len(b"engine")
    assert [path.name for path in root.rglob("*") if path.is_file()] == ["stages.json"]


BUILDER = """
import sys, time
from pathlib import Path
from BrainSegAccelLib.backends.cache import EngineCache, EngineKey, size_limit
from BrainSegAccelLib.backends.runtime import load_or_make
from BrainSegAccelLib.errors import InputError
from BrainSegAccelLib.backends.runtime import load_or_make
cache = EngineCache(Path(sys.argv[1]))
key = EngineKey("a" * 64, "b" * 64, (16, 16, 16), "fp32", "race", "1", "a CPU")
start = float(sys.argv[3])
time.sleep(max(0.0, start - time.time()))
for turn in range(20):
    cache.remove(key)
    payload = (sys.argv[2] * 400_000).encode()
    loaded, _ = load_or_make(cache, key, lambda stored: stored, lambda: payload)
    assert loaded in (b"1" * 400_000, b"2" * 400_000), len(loaded)
load_or_make(cache, key, lambda stored: stored, lambda: payload)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be replaced on Windows")
def test_two_processes_that_build_at_once_leave_one_good_entry(tmp_path: Path) -> None:
    """Neither ever reads a torn entry: a warning is an error in both of them."""
    start = str(time.time() + 5)
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", BUILDER, str(tmp_path), name, start],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in "12"
    ]
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    cache = EngineCache(tmp_path)
    (entry,) = cache.entries()
    assert list(cache.folder.iterdir()) == [entry.path]
    key = EngineKey("a" * 64, "b" * 64, (16, 16, 16), "fp32", "race", "1", "a CPU")
    assert cache.read(key) in (b"1" * 400_000, b"2" * 400_000)


def test_an_intact_entry_that_the_runtime_refuses_is_built_again(
    engine_cache: EngineCache,
) -> None:
    engine_cache.write(KEY, b"of an older driver")

    def load(stored: bytes) -> bytes:
        if stored != b"new":
            raise RuntimeError("not for this driver")
        return stored

    with pytest.warns(UserWarning, match="not for this driver"):
        assert load_or_make(engine_cache, KEY, load, lambda: b"new") == (b"new", False)
    assert load_or_make(engine_cache, KEY, load, lambda: b"never") == (b"new", True)
