"""Finding presentations in a folder, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgegate.errors import EdgeGateError
from edgegate.liveness.material import find


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_the_layout(tmp_path: Path) -> None:
    """Pictures, folders of frames and videos; species by their folders, in `attack` also by the pictures' names."""
    touch(
        tmp_path,
        *("bona_fide/a.jpg", "bona_fide/b/1.png", "bona_fide/b/2.png", "live/c.MP4"),
        *("print/p.jpeg", "attack/screen_1.jpg", "attack/screen_2.jpg", "attack/tablet_old_1.jpg", "attack/mask/m.png"),
        "attack/solo.jpg",
    )
    found = find(tmp_path)
    assert [("bona_fide/a.jpg", 1, False), ("bona_fide/b", 2, True), ("live/c.MP4", 1, True)] == [
        (source.name, len(source.paths), source.sequence) for source in found.bona_fide
    ]
    assert {"print": 1, "screen": 2, "tablet_old": 1, "mask": 1, "solo": 1} == {
        species: len(sources) for species, sources in found.attacks.items()
    }
    assert [False, False, True] == [source.video for source in found.bona_fide]
    assert [] == found.problems


def test_the_layout_of_the_samples(shared: Path) -> None:
    """The authors' samples as they lie there."""
    found = find(shared / "faces" / "pad")
    assert (1, {"screen": 2, "tablet": 1}) == (
        len(found.bona_fide),
        {species: len(sources) for species, sources in found.attacks.items()},
    )


def test_frames_come_in_order(tmp_path: Path) -> None:
    """Ten comes after nine."""
    touch(tmp_path, *(f"live/walk/frame_{number}.jpg" for number in range(12)))
    (source,) = find(tmp_path).bona_fide
    assert [f"frame_{number}.jpg" for number in range(12)] == [path.name for path in source.paths]


def test_nothing_is_passed_over_in_silence(tmp_path: Path) -> None:
    """Each thing that is not used is one line; what is hidden is nobody's."""
    touch(
        tmp_path,
        *("README.md", ".DS_Store", "live/a.jpg", "live/notes.txt", "live/walk/1.jpg", "live/walk/deeper/2.jpg"),
        *("live/nothing/.hidden", "empty/.hidden", "print/b.pdf"),
    )
    found = find(tmp_path)
    assert {
        "README.md: lies beside the folders, and is not used",
        "empty: holds no picture and no video",
        "live/nothing: holds no picture",
        "live/notes.txt: is neither picture nor video, and is not used",
        "live/walk/deeper: is no picture, and is not used",
        "print/b.pdf: is neither picture nor video, and is not used",
        "print: holds no picture and no video",
    } == set(found.problems)
    assert 7 == len(found.problems)
    assert {} == found.attacks


@pytest.mark.parametrize(
    ("names", "says"), [((), "holds nothing to test"), (("live/a.txt",), "nothing to test"), (None, "cannot be listed")]
)
def test_a_folder_of_nothing_is_one_line(tmp_path: Path, names: tuple[str, ...] | None, says: str) -> None:
    """What, where, and what to do."""
    touch(tmp_path, *(names or ()))
    with pytest.raises(EdgeGateError, match=says) as caught:
        find(tmp_path if names is not None else tmp_path / "none")
    assert "; " in str(caught.value)


def test_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound that nobody meets by accident."""
    monkeypatch.setattr("edgegate.liveness.material.MAX_SOURCES", 3)
    touch(tmp_path, *(f"live/{number}.jpg" for number in range(4)))
    with pytest.raises(EdgeGateError, match="more than 3 presentations"):
        find(tmp_path)
