"""The doctor's look at the gate's own parts: keys, permissions, camera, readers, pins, vault, journal, pack."""

from __future__ import annotations

import os
import pty
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from gpiozero.pins.mock import MockConnectedPin, MockFactory

from edgegate import device_key
from edgegate.adapters import load_faces, open_journal, open_vault
from edgegate.camera.dark import Light
from edgegate.camera.people import portrait
from edgegate.camera.scene import Scene, compose
from edgegate.camera.stage import passers_by
from edgegate.config import Camera, SerialReader, StdinReader, WiegandReader
from edgegate.doctor import faces, keeping, parts, permissions, settings
from edgegate.doctor.machine import User
from edgegate.doctor.parts import Seen
from edgegate.doctor.report import Result
from edgegate.errors import EdgeGateError
from edgegate.faces.quality import ENROLMENT, GATE
from edgegate.files import write_private
from edgegate.model import Image
from edgegate.stores import Entry
from tests.conftest import Site, blank
from tests.doctor.kit import House, good, told

ASKED = Camera(source="v4l2:/dev/video0")
WELL = Seen(1280, 720, 15.0, Light(120, 30), 20.0)


def hall() -> Image:
    """Somebody at the entrance, sharp."""
    return compose(Scene((portrait("astronaut"),)), 1280, 720, np.random.default_rng(5))


def test_a_private_key_without_a_passphrase_is_told(site: Site) -> None:
    """Whoever takes the device could make badges; the public key alone is well."""
    assert "issuer.key lies on this device without a passphrase" in told(settings.issuers(site.config), Result.WARN)
    (site.folder / "issuer.key").unlink()
    assert "1 public key" == good(settings.issuers(site.config))


def test_site_secret(site: Site, house: House) -> None:
    """Readable for the gate alone, or systemd's to hand over."""
    path = site.folder / "site.key"
    assert "mode 0600" in good(settings.site_secret(site.config, house.machine))
    path.chmod(0o604)
    assert "chmod 600" in told(settings.site_secret(site.config, house.machine), Result.FAIL)
    path.unlink()
    assert "edgegate issuer init" in told(settings.site_secret(site.config, house.machine), Result.FAIL)
    house.systemd(cat="[Service]\nLoadCredentialEncrypted=site.key:/etc/credstore.encrypted/site.key\n")
    assert Result.SKIPPED is settings.site_secret(site.config, house.machine).result
    (site.folder / "vault.db").touch()
    assert Result.SKIPPED is keeping.vault(site.config, house.machine).result


def test_device_key(site: Site, house: House) -> None:
    """There, with the public part that belongs to it, nobody else's to read, and handed over by the unit."""
    path = site.folder / "device.key"
    device_key.make(path)
    name = device_key.load(path).name
    assert f"device {name}, mode 0600" == good(settings.device(site.config, house.machine))
    house.systemd(cat="[Service]\nLoadCredential=site.key:/etc/edgegate/site.key\n")
    assert "does not hand to the gate; run `edgegate service install`" in told(
        settings.device(site.config, house.machine), Result.WARN
    )
    house.systemd(cat="[Service]\nLoadCredential=device.key:/etc/edgegate/device.key\n")
    assert name in good(settings.device(site.config, house.machine))
    path.chmod(0o604)
    assert f"chmod 600 {path}" in told(settings.device(site.config, house.machine), Result.FAIL)
    assert f"everybody may open {path}" in told(permissions.permissions(site.config, house.machine), Result.FAIL)
    path.chmod(0o600)
    device_key.make(site.folder / "other.key")
    (site.folder / "other.pub").replace(site.folder / "device.pub")
    assert "device.pub: is not the public part of device.key" in told(
        settings.device(site.config, house.machine), Result.FAIL
    )
    (site.folder / "device.pub").unlink()
    assert "device.pub does not exist" in told(settings.device(site.config, house.machine), Result.WARN)
    path.unlink()
    says = told(settings.device(site.config, house.machine), Result.WARN)
    assert f"{path} does not exist" in says
    assert "`edgegate service install`" in says
    write_private(path, b"no key")
    assert "is not a device key" in told(settings.device(site.config, house.machine), Result.FAIL)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="edgegate-doctor-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def test_permissions_of_a_stranger(site: Site, house: House) -> None:
    """The user of the service is not the one who laid the files out: the first folder in the way is named."""
    house.put("/etc/passwd", "edgegate:x:4000000:4000001::/:/bin/false\n")
    says = told(permissions.permissions(site.config, house.machine), Result.FAIL)
    assert f"user edgegate may not read {site.folder}/config.yaml: " in says
    assert "is in the way" in says
    assert says.count("user edgegate may not") == permissions.MOST
    assert " more" in says


def test_permissions_of_the_owner(site: Site, house: House) -> None:
    """All is well when the service owns it; open folders and files are told."""
    house.put("/etc/passwd", f"edgegate:x:{os.geteuid()}:{os.getegid()}::/:/bin/false\n")
    says = good(permissions.permissions(site.config, house.machine))
    assert "user edgegate may use all" in says
    site.folder.chmod(0o755)
    assert f"chmod 700 {site.folder}" in told(permissions.permissions(site.config, house.machine), Result.WARN)
    site.folder.chmod(0o700)
    (site.folder / "site.key").chmod(0o644)
    assert f"everybody may open {site.folder}/site.key" in told(
        permissions.permissions(site.config, house.machine), Result.FAIL
    )


def test_the_secret_that_systemd_hands_over_need_not_be_readable(site: Site, house: House) -> None:
    """Root's alone, by LoadCredential: the gate is given a copy."""
    house.put("/etc/passwd", "edgegate:x:4000000:4000001::/:/bin/false\n")
    keys = {site.folder / name for name in ("site.key", "device.key")}
    assert set() == keys & set(dict(permissions._files(site.config, {"site.key", "device.key"})))
    assert keys <= set(dict(permissions._files(site.config, set())))


def test_who_asks_must_be_root_or_the_gate(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody else would take closed folders for broken ones."""
    house.put("/etc/passwd", "edgegate:x:4000000:4000001::/:/bin/false\n")
    for uid, result in ((0, Result.OK), (4_000_000, Result.OK), (4_000_002, Result.WARN)):
        monkeypatch.setattr("os.geteuid", lambda uid=uid: uid)
        assert result is permissions.rights(house.machine).result


def test_a_file_that_the_service_cannot_read(open_folder: Path, house: House) -> None:
    """The remedy says which command mends it."""
    key = open_folder / "issuer.pub"
    key.touch(0o600)
    key.chmod(0o600)
    stranger = User("edgegate", 4_000_000, frozenset({4_000_001}))
    finding = permissions._look(stranger, house.machine, key, permissions.READ)
    assert finding is not None
    assert f"user edgegate may not read {key}; `chgrp edgegate {key}`, `chmod g+r {key}`" == told(finding, Result.FAIL)
    key.chmod(0o604)
    assert None is permissions._look(stranger, house.machine, key, permissions.READ)
    assert None is permissions._look(stranger, house.machine, open_folder / "none", permissions.READ)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes")
@pytest.mark.parametrize(
    ("gid", "mode", "expected"),
    [
        (44, 0o660, "`usermod -aG video edgegate`, or the rules of `edgegate service install`"),
        (0, 0o660, "it needs the rules of `edgegate service install`"),
        (44, 0o600, "it needs the rules of `edgegate service install`"),
        (104, 0o660, "it needs the rules of `edgegate service install`"),
    ],
)
def test_a_device_of_a_group(open_folder: Path, house: House, gid: int, mode: int, expected: str) -> None:
    """A device node is opened by being in its group, or by a rule that gives it to one of the gate's."""
    house.put("/etc/group", "video:x:44:\ninput:x:104:\n")
    stranger = User("edgegate", 4_000_000, frozenset({4_000_001}))
    node = open_folder / "node"
    os.mknod(node, stat.S_IFCHR | mode, os.makedev(1, 3))
    node.chmod(mode)
    os.chown(node, 0, gid)
    finding = permissions._look(stranger, house.machine, node, permissions.READ | permissions.WRITE)
    assert finding is not None
    assert f"user edgegate may not use {node}; {expected}" == told(finding, Result.FAIL)
    node.chmod(0o666)
    assert None is permissions._look(stranger, house.machine, node, permissions.READ | permissions.WRITE)


@pytest.mark.parametrize(
    ("changes", "result", "expected"),
    [
        ({}, Result.OK, "1280x720, 15.0 pictures a second, brightness 120 of 255, focus 20"),
        ({"width": 640, "height": 480}, Result.WARN, "640x480 where 1280x720 was asked for"),
        ({"fps": 7.4}, Result.WARN, "7.4 pictures a second where 15 were asked for"),
        ({"light": Light(3, 1)}, Result.FAIL, "sees nothing"),
        ({"light": Light(40, 2)}, Result.FAIL, "sees nothing"),
        ({"light": Light(40, 20)}, Result.WARN, "dim"),
        ({"light": Light(230, 20)}, Result.WARN, "glaring"),
        ({"focus": 2.0}, Result.WARN, "nothing is sharp"),
        ({"focus": 5.0}, Result.WARN, "hardly sharp"),
    ],
)
def test_what_is_said_of_a_camera(changes: dict[str, object], result: Result, expected: str) -> None:
    """Against what was asked of it, and what the gate needs."""
    seen = Seen(**{name: changes.get(name, getattr(WELL, name)) for name in Seen.__slots__})  # type: ignore[arg-type]
    finding = parts.judge(seen, ASKED)
    assert result is finding.result
    assert expected in finding.says
    assert bool(finding.remedy) is (result is not Result.OK)


def test_an_address_with_a_password_is_not_shown() -> None:
    """The report may be sent to somebody."""
    said = parts.judge(WELL, Camera(source="rtsp://admin:hunter2@camera/stream"))
    assert "hunter2" not in said.says + said.remedy


def test_a_camera_is_watched() -> None:
    """Size, rate, light and focus of what the simulated one gives."""
    camera = passers_by(640, 360)
    camera.open()
    seen = parts.watch(camera, 0.3)
    camera.close()
    assert (640, 360) == (seen.width, seen.height)
    assert seen.fps > 5
    assert not seen.light.dark


def test_focus_falls_with_blur() -> None:
    """The number that a technician turns the lens by; a bare wall around the face does not hide it."""
    sharp = hall()
    numbers = [parts.focus(sharp)]
    numbers += [parts.focus(np.asarray(cv2.GaussianBlur(sharp, (0, 0), sigma), np.uint8)) for sigma in (2, 5, 10)]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] > ENROLMENT.sharpness
    assert numbers[-1] < GATE.sharpness
    assert parts.focus(blank()) < 1


def test_a_recording_is_no_camera(site: Site) -> None:
    """It works, but not at a door; what cannot be opened fails with its own words."""
    frames = site.folder / "frames"
    frames.mkdir()
    with pytest.raises(EdgeGateError, match="holds no picture"):
        parts.camera(site.configure(camera={"source": f"frames:{frames}"}))
    cv2.imwrite(str(frames / "1.png"), blank())
    assert "frames gives 640x360, but it is no camera" in told(parts.camera(site.config), Result.WARN)
    with pytest.raises(EdgeGateError, match="is not there"):
        parts.camera(site.configure(camera={"source": "v4l2:/dev/video77", "pace": "real"}))


def test_a_camera_by_number_is_told_its_name(site: Site, house: House) -> None:
    """The line to write into the configuration."""
    config = site.configure(camera={"source": "v4l2:/dev/video0", "pace": "real"})
    assert "ls /dev/v4l/by-id" in told(parts.camera_name(config, house.machine), Result.WARN)
    for folder, name, target in (
        ("/dev/v4l/by-path", "pci-0-video-index0", "video0"),
        ("/dev/v4l/by-id", "usb-Cam_7-video-index0", "video0"),
        ("/dev/v4l/by-id", "usb-Cam_6-video-index0", "video2"),
    ):
        house.machine.path(folder).mkdir(parents=True, exist_ok=True)
        (house.machine.path(folder) / name).symlink_to(f"../../{target}")
    says = told(parts.camera_name(config, house.machine), Result.WARN)
    assert "write `camera.source: v4l2:/dev/v4l/by-id/usb-Cam_7-video-index0`" in says
    named = site.configure(camera={"source": "v4l2:/dev/v4l/by-id/usb-Cam_7-video-index0", "pace": "real"})
    assert "stays the same" in good(parts.camera_name(named, house.machine))


def test_readers_are_opened(site: Site) -> None:
    """A serial line that is there, two pins, typed lines; one that is not there fails in its own words."""
    config = site.config
    master, slave = pty.openpty()
    try:
        assert "opens" in good(parts.reader(SerialReader(kind="serial", device=Path(os.ttyname(slave))), config))
    finally:
        os.close(master)
        os.close(slave)
    assert "wiegand 20,21 opens" == good(parts.reader(WiegandReader(kind="wiegand", d0=20, d1=21), config))
    assert "nothing to open" in good(parts.reader(StdinReader(kind="stdin"), config))
    with pytest.raises(EdgeGateError):
        parts.reader(SerialReader(kind="serial", device=site.folder / "ttyUSB7"), config)


def test_mock_pins_are_no_lights(site: Site) -> None:
    """They can be taken, and nobody sees them."""
    assert "there are no lights; set signals.pins" in told(parts.pins(site.config), Result.WARN)


def test_pins_that_this_machine_has_not(site: Site) -> None:
    """The factory that was asked for, and no other, says what is wrong."""
    config = site.configure(signals={"pins": "gpiod:/dev/no-such-chip"})
    with pytest.raises(EdgeGateError, match="no-such-chip"):
        parts.pins(config)


def test_loopback() -> None:
    """A wire carries the level from one pin to the other; without it the second stays where it is."""
    pins = MockFactory()
    assert "does not follow" in told(parts.through(pins, 17, 27), Result.FAIL)
    pins.reset()
    pins.pin(17, pin_class=MockConnectedPin, input_pin=pins.pin(27))
    assert "17 to 27: the second follows the first" == good(parts.through(pins, 17, 27))
    pins.close()


def test_loopback_text() -> None:
    """Two different pins."""
    assert (17, 27) == parts.parse_loopback("17:27")
    for text in ("", "17", "17:", "17:17", "a:b", "1:2:3", "-1:2", "99999:1", "١:٢x"):
        with pytest.raises(EdgeGateError, match="is not two pins"):
            parts.parse_loopback(text)


def test_vault(site: Site, house: House) -> None:
    """Counts by status, never who; damage and lockdown are told."""
    assert "enroll add" in told(keeping.vault(site.config, house.machine), Result.WARN)
    ana, _, ben = site.enrol("ana"), site.enrol(None), site.enrol("ben")
    site.revoke(ben)
    says = good(keeping.vault(site.config, house.machine))
    assert "good: 1 volunteer, 1 diary, 1 revoked" == says
    vault = open_vault(site.config)
    vault.set_locked(True)
    vault.close()
    assert "lockdown off" in told(keeping.vault(site.config, house.machine), Result.WARN)
    assert ana.handle.hex()[:6] not in says


def test_damaged_vault(site: Site, house: House) -> None:
    """A page overwritten by a dying card is found although every row that is asked for still answers."""
    for _ in range(60):
        site.enrol("ana")
    path = site.folder / "vault.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = database.execute("PRAGMA page_size").fetchone()[0]
        pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.close()
    data = bytearray(path.read_bytes())
    for page in range(2, pages):
        data[page * size + 100 : page * size + 400] = os.urandom(300)
    path.write_bytes(data)
    try:
        finding = keeping.vault(site.config, house.machine)
    except EdgeGateError as error:
        assert "vault.db" in str(error)
    else:
        assert "is damaged" in told(finding, Result.FAIL)


def test_journal(site: Site) -> None:
    """The chain holds, or the row is named."""
    assert "edgegate run" in told(keeping.journal(site.config), Result.WARN)
    journal = open_journal(site.config, create=True)
    for at in range(3):
        journal.append(Entry(at=at, kind="start"))
    journal.close()
    assert "3 rows, the chain holds" == good(keeping.journal(site.config))
    with sqlite3.connect(site.folder / "journal.db") as database:
        database.execute("DROP TRIGGER entry_stays")
        database.execute("UPDATE entry SET at = 9 WHERE seq = 2")
    database.close()
    with pytest.raises(EdgeGateError, match="row 2 was altered"):
        keeping.journal(site.config)


def test_the_embedded_pack(site: Site) -> None:
    """Verified, licensed, run once on a picture of the camera's size, and warned about as `run` does."""
    config = site.configure(faces={"pack": "dlib"}, camera={"width": 1280, "height": 720})
    says = told(faces.pack(config), Result.WARN)
    for word in ("dlib, hashes good, threshold 0.523 for FMR 0.0001", "licence: ", "one look takes", "three in ten"):
        assert word in says


def test_the_fake_pack_is_told(site: Site) -> None:
    """It would let a coloured square pass."""
    assert "never use it at a door" in told(faces.pack(site.config), Result.WARN)


def test_no_pack_at_all(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate would run and refer every volunteer: that is a failure here."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "every volunteer goes to the supervisor" in told(
        faces.pack(site.configure(faces={"pack": "auto"})), Result.FAIL
    )


def test_a_pack_that_is_too_slow(site: Site) -> None:
    """The looks that are needed do not fit in the time that there is."""
    config = site.configure(faces={"pack": "fake", "timeout_s": 1e-6, "min_probes": 50})
    assert "50 are needed in 1e-06 s" in told(faces.speed(load_faces(config), config), Result.WARN)


def test_without_a_portrait_a_look_is_timed_all_the_same(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle may lack the library that carries the picture."""

    def none(name: str) -> Image:
        raise EdgeGateError("the package skimage is not installed")

    monkeypatch.setattr(faces, "portrait", none)
    config = site.configure(faces={"pack": "dlib"}, camera={"width": 320, "height": 240})
    assert "one look takes" in good(faces.speed(load_faces(config), config))


def test_a_real_pack(shared: Path, site: Site) -> None:
    """Real weights find the face in the simulated camera's picture, and are timed."""
    folder = shared / "models" / "scrfd-mobileface"
    config = site.configure(faces={"pack": str(folder)}, camera={"width": 1280, "height": 720})
    finding = faces.pack(config)
    assert finding.result is not Result.FAIL, finding
    assert "scrfd-mobileface, hashes good, threshold 0.448 for FMR 0.0001" in finding.says
    assert "one look takes" in finding.says
