"""Good sites: one for all tests that only look, one to spoil for each of the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.prove.kit import ProvedSite


@pytest.fixture(scope="session")
def good_site(tmp_path_factory: pytest.TempPathFactory) -> ProvedSite:
    """To look at; nobody changes it."""
    folder = tmp_path_factory.mktemp("good")
    site = ProvedSite(folder / "gate", folder / "office")
    site.build()
    return site


@pytest.fixture
def spoilt(tmp_path: Path) -> ProvedSite:
    """Good too, until the test does something to it."""
    site = ProvedSite(tmp_path / "gate", tmp_path / "office", home=tmp_path / "home")
    (tmp_path / "home" / "Documents").mkdir(parents=True)
    site.build()
    return site
