"""Engines of the tiny model, compiled once for all tests of a session."""

from __future__ import annotations

import pytest
from BrainSegAccelLib.backends.cache import EngineCache


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> EngineCache:
    """A cache that keeps what takes tens of seconds to compile; not to be damaged."""
    return EngineCache(tmp_path_factory.mktemp("session-cache"))
