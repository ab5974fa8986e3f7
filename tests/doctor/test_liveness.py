"""The doctor's line about liveness: off, loaded and timed, too slow, missing, changed, fake."""

from __future__ import annotations

import pytest

from edgegate.adapters import load_faces, load_liveness
from edgegate.doctor import faces
from edgegate.doctor.report import Result
from edgegate.errors import EdgeGateError
from tests.conftest import Site
from tests.doctor.kit import good, told
from tests.liveness.kit import small_liveness_pack


def test_liveness_that_is_off(site: Site) -> None:
    """It is said what that means."""
    assert "is not told from the face" in good(faces.liveness(site.config))


def test_liveness_is_loaded_and_timed(site: Site) -> None:
    """With what a look takes, and how many are asked for."""
    small_liveness_pack(site.folder / "models" / "small")
    asked = {"pack": "fake", "liveness": "enforce", "liveness_pack": "small"}
    says = good(faces.liveness(site.configure(faces=asked)))
    for words in ("enforce, pack small, hashes good, live from 0.6", "licence: Apache-2.0", "one look with it takes"):
        assert words in says
    slow = told(faces.liveness(site.configure(faces={**asked, "timeout_s": 1e-3}, camera={"fps": 60})), Result.WARN)
    assert "no volunteer will pass" in slow
    assert "5 are needed in 0.001 s" in told(
        faces._liveness_speed(load_faces(site.config), load_liveness(site.config, None), site.config), Result.WARN
    )


def test_liveness_that_cannot_work(site: Site) -> None:
    """No pack, another file than the manifest's, and the one that is never for a door."""
    asked = {"pack": "fake", "liveness": "advisory"}
    with pytest.raises(EdgeGateError, match="no liveness pack `small`"):
        faces.liveness(site.configure(faces={**asked, "liveness_pack": "small"}))
    folder = small_liveness_pack(site.folder / "models" / "small")
    (folder / "live.onnx").write_bytes(b"other")
    with pytest.raises(EdgeGateError, match="SHA-256 differs"):
        faces.liveness(site.configure(faces={**asked, "liveness_pack": "small"}))
    fake = told(faces.liveness(site.configure(faces={**asked, "liveness_pack": "fake"})), Result.WARN)
    assert "never use it at a door" in fake
