"""The sets of artefacts, made once and kept in the cache of pytest (see peer_cache)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import peer_cache
import pytest


@pytest.fixture(scope="session")
def nnunet_peers(request: pytest.FixtureRequest) -> Path:
    """What make_nnunet.py leaves."""
    if importlib.util.find_spec("nnunetv2") is None:
        pytest.skip("nnunetv2 is not installed")
    return peer_cache.artefacts("make_nnunet.py", ("nnunetv2", "torch"), _cache(request))


@pytest.fixture(scope="session")
def monai_peers(request: pytest.FixtureRequest) -> Path:
    """What make_monai.py leaves."""
    if importlib.util.find_spec("ignite") is None:
        pytest.skip("pytorch-ignite, which runs MONAI's bundles, is not installed")
    return peer_cache.artefacts("make_monai.py", ("monai", "torch"), _cache(request))


def _cache(request: pytest.FixtureRequest) -> Path:
    return Path(request.config.cache.mkdir("peers"))
