from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from BrainSegAccelLib.backends.cache import EngineCache, EngineKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KEY = EngineKey(
    weights_sha256="a" * 64,
    network_config_sha256="b" * 64,
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
        {"network_config_sha256": "c" * 64},
        {"shape": (160, 160, 160)},
        {"precision": "bf16"},
        {"backend": "other"},
        {"backend_version": "1.1"},
        {"device_name": "another CPU"},
        {"driver": "580"},
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
