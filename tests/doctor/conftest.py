"""A laid-out machine for every test of the doctor."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor.kit import House


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """An empty machine beside the test's other files."""
    folder = tmp_path / "house"
    folder.mkdir()
    return House(folder, monkeypatch)
