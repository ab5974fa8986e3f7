"""What is kept of a calibration: signed, whole, for these models only, and nothing of a person."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from edgegate import device_key
from edgegate.calibration import record
from edgegate.calibration.keeping import calibration
from edgegate.calibration.record import KIND, NAME, find, place, write
from edgegate.errors import EdgeGateError
from edgegate.faces.fake_engine import FAKE_PACK
from edgegate.faces.pack import MANIFEST, Pack
from tests.calibration.kit import report

PEOPLE = [3] * 30


@pytest.fixture
def key(tmp_path: Path) -> device_key.DeviceKey:
    device_key.make(tmp_path / "device.key")
    return device_key.load(tmp_path / "device.key")


@pytest.fixture
def kept(tmp_path: Path, key: device_key.DeviceKey) -> Path:
    """A calibration of the embedded kind of pack, saved."""
    path = place(FAKE_PACK, tmp_path)
    write(calibration(report(PEOPLE), key.name), path, key)
    return path


def test_what_is_written_is_what_is_read(tmp_path: Path, kept: Path, key: device_key.DeviceKey) -> None:
    """The gate finds the thresholds that were measured, per presentation and per pair, and where they are from."""
    made = report(PEOPLE)
    found = find(FAKE_PACK, tmp_path, key)
    assert found is not None
    assert {point.target: point.threshold for point in made.figures.per_pair.points if point.threshold} == (
        found.thresholds_per_pair
    )
    pair, presentation = (
        next(point.threshold for point in side.points if point.target == 1e-2)
        for side in (made.figures.per_pair, made.figures.per_presentation)
    )
    assert pair is not None
    assert presentation is not None
    assert max(pair, presentation) == found.thresholds[1e-2]
    assert "thin air: 90 pictures of 30 people, calibrated 2026-11-22" == found.measured_on
    assert (FAKE_PACK.id, 3, key.name) == (found.pack, found.looks, found.device)
    assert 0o644 == kept.stat().st_mode & 0o777


def test_the_higher_threshold_counts(tmp_path: Path, key: device_key.DeviceKey) -> None:
    """Where fewer people made presentations than pairs, chance may put their threshold lower: the higher is used."""
    made = calibration(report(PEOPLE), key.name)
    low = made.per_presentation.model_copy(
        update={"thresholds": tuple(t.model_copy(update={"threshold": -0.5}) for t in made.per_presentation.thresholds)}
    )
    assert made.thresholds_per_pair[1e-2] == made.model_copy(update={"per_presentation": low}).thresholds[1e-2]


def test_nothing_personal_is_kept(kept: Path) -> None:
    """Figures, hashes and a date: no file, no person, no score of one, no embedding."""
    text = kept.read_text("utf-8")
    assert "Ana" not in text
    assert len(text) < 8000
    _, body = yaml.safe_load_all(text.rpartition("signature: ")[0])
    assert [
        *("pack", "detector_sha256", "recogniser_sha256", "data", "pictures", "people", "people_not_enrolled"),
        *("made", "edgegate", "looks", "per_pair", "per_presentation", "device"),
    ] == list(body)


def test_openssl_checks_it(tmp_path: Path, kept: Path) -> None:
    """Without any of this code: the lines before the last, and the device's public key."""
    message, _, signature = kept.read_bytes().rpartition(b"signature: ")
    (tmp_path / "message").write_bytes(message)
    (tmp_path / "signature").write_bytes(base64.b64decode(signature))
    assert message.startswith(KIND.encode() + b"\n")
    done = subprocess.run(
        [
            *("openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(tmp_path / "device.pub")),
            *("-in", str(tmp_path / "message"), "-sigfile", str(tmp_path / "signature")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "Signature Verified Successfully") == (done.returncode, done.stdout.strip())


SPOILT: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "lower threshold": (lambda data: data.replace(b"threshold: 0", b"threshold: -0", 1), "altered since"),
    "other data": (lambda data: data.replace(b"thin air", b"all of us"), "altered since"),
    "no signature": (lambda data: data.rpartition(b"signature: ")[0], "is no calibration that this version knows"),
    "half a signature": (lambda data: data[:-20], "altered since"),
    "a signature of letters": (lambda data: data.rpartition(b"signature: ")[0] + b"signature: ?\n", "altered since"),
    "cut": (lambda data: data[:500], "is no calibration that this version knows"),
    "empty": (lambda data: b"", "is no calibration that this version knows"),
    "a later kind": (lambda data: data.replace(b"calibration 1", b"calibration 2"), "that this version knows"),
    "a receipt": (lambda data: data.replace(b"calibration 1", b"receipt 1"), "that this version knows"),
    "endless": (lambda data: data + b"#" * 70_000, "is larger than"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_what_was_altered_is_refused(tmp_path: Path, kept: Path, key: device_key.DeviceKey, how: str) -> None:
    """A threshold made lower by hand would open the gate: one line, and what to do."""
    spoil, says = SPOILT[how]
    before = kept.read_bytes()
    kept.write_bytes(spoil(before))
    assert before != kept.read_bytes()
    with pytest.raises(EdgeGateError, match=says) as caught:
        find(FAKE_PACK, tmp_path, key)
    assert str(kept) == caught.value.where
    assert caught.value.next


def test_signed_nonsense_is_refused(tmp_path: Path, kept: Path, key: device_key.DeviceKey) -> None:
    """The device's own signature over something else is no calibration either."""
    for body in (
        "- 1\n",
        "pack: [\n",
        "pack: x\n",
        "",
        kept.read_text().partition("---\n")[2].replace("looks: 3", "looks: x"),
    ):
        message = f"{KIND}\n---\n{body.rpartition('signature: ')[0] or body}".encode()
        kept.write_bytes(message + b"signature: " + base64.b64encode(key.sign(message)) + b"\n")
        with pytest.raises(EdgeGateError, match="is no calibration that this version knows"):
            find(FAKE_PACK, tmp_path, key)


def test_another_device_or_none(tmp_path: Path, kept: Path) -> None:
    """Signed elsewhere, or nobody can tell: refused."""
    device_key.make(tmp_path / "other.key")
    with pytest.raises(EdgeGateError, match="was not signed by this device"):
        find(FAKE_PACK, tmp_path, device_key.load_public(tmp_path / "other.key"))
    with pytest.raises(EdgeGateError, match="cannot be checked: this device has no public key"):
        find(FAKE_PACK, tmp_path, None)


@pytest.mark.parametrize("part", ["detector", "recogniser", "engine"])
def test_other_models_are_refused(tmp_path: Path, kept: Path, key: device_key.DeviceKey, part: str) -> None:
    """The same name over other files: the thresholds are not theirs."""
    manifest = FAKE_PACK.manifest
    changed = "dlib" if part == "engine" else getattr(manifest, part).model_copy(update={"sha256": "1" * 64})
    other = Pack(manifest.model_copy(update={part: changed}), FAKE_PACK.folder)
    with pytest.raises(EdgeGateError, match=r"was made for other models .*; calibrate again with"):
        find(other, tmp_path, key)


def test_where_it_lies(tmp_path: Path) -> None:
    """In the pack's own folder; the embedded pack's is the dependencies', so a folder among the others."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / MANIFEST).write_text("")
    assert tmp_path / "mine" / NAME == place(Pack(FAKE_PACK.manifest, tmp_path / "mine"), tmp_path / "models")
    assert tmp_path / "models" / "fake" / NAME == place(FAKE_PACK, tmp_path / "models")


def test_no_calibration_is_no_error(tmp_path: Path, key: device_key.DeviceKey) -> None:
    """Most packs have none, also on a device without a key."""
    assert find(FAKE_PACK, tmp_path, key) is None
    assert find(FAKE_PACK, tmp_path, None) is None


def test_a_new_one_takes_the_place_of_the_old(tmp_path: Path, kept: Path, key: device_key.DeviceKey) -> None:
    """Calibrating again needs nobody to clear up; nothing else is left in the folder."""
    write(calibration(replace(report(PEOPLE), data="more people"), key.name), kept, key)
    found = find(FAKE_PACK, tmp_path, key)
    assert found is not None
    assert "more people" == found.data
    assert [NAME] == [path.name for path in kept.parent.iterdir()]


def test_a_disk_that_does_not_take_it(tmp_path: Path, key: device_key.DeviceKey) -> None:
    """One line."""
    (tmp_path / "fake").write_text("a file")
    with pytest.raises(EdgeGateError, match="cannot be written"):
        write(calibration(report(PEOPLE), key.name), record.place(FAKE_PACK, tmp_path), key)
