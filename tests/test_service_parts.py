"""`edgegate service`, its parts: the machine, what is plugged in, the configuration it writes, rules, wheels."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edgegate.config_file import load
from edgegate.deploy import assets, configuration, devices, needs, package, seal
from edgegate.deploy.devices import Devices
from edgegate.deploy.host import Host, link, write
from edgegate.errors import EdgeGateError

CAMERA = "/dev/v4l/by-id/usb-Maker_Camera_123-video-index0"
SCANNER = "/dev/input/by-id/usb-Maker_Barcode_Scanner_1-event-kbd"
KEYBOARD = "/dev/input/by-id/usb-Maker_Keyboard-event-kbd"
SERIAL = "/dev/serial/by-id/usb-Maker_Adapter-if00-port0"


def node(root: Path, path: str, target: str = "") -> None:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    if target:
        place.symlink_to(target)
    else:
        place.touch()


def configured(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text, "utf-8")
    return path


# The machine


def test_a_failing_command_is_one_line() -> None:
    """The last thing a program said, and not its traceback."""
    with pytest.raises(EdgeGateError) as caught:
        Host().run(sys.executable, "-c", "raise ValueError('the disk\\nis gone')")
    assert "\n" not in str(caught.value)
    assert "is gone" in str(caught.value)


def test_a_missing_command_is_one_line() -> None:
    """Not every system has every tool."""
    with pytest.raises(EdgeGateError, match=r"no-such-tool: is not on this machine"):
        Host().run("no-such-tool")


def test_a_command_sees_nothing_of_the_callers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A technician's PYTHONPATH or PIP_INDEX_URL must not decide what is installed."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://evil.invalid")
    assert "PIP_" not in Host().run("env")


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    """Text and mode both count; nothing half-written is left."""
    path = tmp_path / "a" / "unit"
    assert [True, False, True, True] == [
        write(path, "one"),
        write(path, "one"),
        write(path, "two"),
        write(path, "two", 0o600),
    ]
    assert [path] == list(path.parent.iterdir())


def test_a_link_is_turned_in_one_step(tmp_path: Path) -> None:
    """There is never a moment without it: a reader in a loop sees the old or the new one."""
    name = tmp_path / "current"
    assert link(name, "versions/1")
    assert not link(name, "versions/1")
    code = f"import os\nwhile True: os.readlink({str(name)!r})"
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) as reader:
        for number in range(2000):
            link(name, f"versions/{number % 2}")
        assert reader.poll() is None
        reader.kill()


def test_one_installation_at_a_time(tmp_path: Path) -> None:
    """The second says so and ends."""
    host = Host(tmp_path)
    with host.alone(), pytest.raises(EdgeGateError, match="another `edgegate service` is at work"), host.alone():
        pass
    with host.alone():
        pass


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="systemd runs on this machine")
def test_without_systemd_it_says_so() -> None:
    """A container is no place for a service. (Not as root, the first sentence is about that.)"""
    with pytest.raises(EdgeGateError, match=r"systemd does not run here|only root may do this"):
        Host().require()


# What is plugged in


def test_names_that_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera is named by id, else by path, else as it is; its node for metadata is none; each camera once."""
    for number in range(4):
        node(tmp_path, f"/dev/video{number}")
    node(tmp_path, CAMERA, "../../video0")
    node(tmp_path, CAMERA.replace("index0", "index1"), "../../video1")
    node(tmp_path, "/dev/v4l/by-path/pci-0-usb-0:1-video-index0", "../../video0")
    node(tmp_path, "/dev/v4l/by-path/platform-cam-video-index0", "../../video2")
    monkeypatch.setattr(devices, "captures", lambda path: path.name != "video1")
    found = devices.look(Host(tmp_path)).cameras
    assert (CAMERA, "/dev/v4l/by-path/platform-cam-video-index0", "/dev/video3") == found


def test_what_is_no_camera_gives_no_pictures(tmp_path: Path) -> None:
    """The question to the driver is really put: a file, a terminal and nothing at all are no cameras."""
    (tmp_path / "file").touch()
    assert [False] * 3 == [devices.captures(path) for path in (tmp_path / "file", Path("/dev/null"), tmp_path / "none")]


def test_readers_boards_and_chips(tmp_path: Path) -> None:
    """A scanner is known by its name; any other keyboard is only mentioned."""
    for path in (SCANNER, KEYBOARD, SERIAL, "/dev/gpiochip0", "/proc/device-tree/model"):
        node(tmp_path, path)
    (tmp_path / "proc/device-tree/model").write_text("Raspberry Pi 5 Model B Rev 1.0\0")
    found = devices.look(Host(tmp_path))
    assert ((SCANNER,), (KEYBOARD,), (SERIAL,), ("/dev/gpiochip0",)) == (
        found.readers,
        found.others,
        found.serials,
        found.chips,
    )
    assert found.raspberry_pi


# The first configuration


def test_the_configuration_is_the_example_with_this_machines_devices(tmp_path: Path) -> None:
    """What is written loads without a mistake, names what was found, and keeps state and keys in their places."""
    text, said = configuration.first(
        Devices((CAMERA,), (SCANNER,), (KEYBOARD,), (SERIAL,), ("/dev/gpiochip0",), "Some Board"), zbar=True
    )
    config = load(configured(tmp_path, text))
    assert f"v4l2:{CAMERA}" == config.camera.source
    assert "gpiod:/dev/gpiochip0" == config.signals.pins
    assert ["qr", "hid"] == [reader.kind for reader in config.badges.readers]
    assert Path("/var/lib/edgegate/vault.db") == config.vault.path
    assert Path("/var/lib/edgegate/journal.db") == config.journal.path
    assert Path("/var/lib/edgegate/models") == Path(config.faces.models_dir)
    assert (Path("/etc/edgegate/issuer.pub"),) == config.badges.issuers
    assert Path(seal.PLAIN) == config.vault.site_secret
    assert f"# - {{kind: hid, device: {KEYBOARD}" in text
    assert f"# - {{kind: serial, device: {SERIAL}" in text
    assert text.count("#") >= assets.example().count("#")  # its explanations are still there
    for word in (CAMERA, SCANNER, "gpiod:/dev/gpiochip0", "both"):
        assert any(word in line for line in said)


def test_without_devices_it_says_what_to_do(tmp_path: Path) -> None:
    """A configuration that loads, and lines that name what is missing."""
    text, said = configuration.first(Devices(), zbar=False)
    config = load(configured(tmp_path, text))
    assert ("mock", "zxing") == (config.signals.pins, getattr(config.badges.readers[0], "decoder", None))
    assert any("no camera found yet" in line for line in said)
    assert any("libzbar0 is missing" in line for line in said)


@pytest.mark.parametrize(
    ("found", "pins"),
    [
        (Devices(board="Raspberry Pi 4 Model B", chips=("/dev/gpiochip0", "/dev/gpiochip1")), "lgpio"),
        (Devices(chips=("/dev/gpiochip0", "/dev/gpiochip1")), "mock"),
        (Devices(board="NVIDIA Jetson", chips=("/dev/gpiochip0",)), "gpiod:/dev/gpiochip0"),
    ],
)
def test_pins_are_never_guessed(tmp_path: Path, found: Devices, pins: str) -> None:
    """A Raspberry Pi has one way, a single chip is the one; of several a person chooses."""
    assert pins == load(configured(tmp_path, configuration.first(found, zbar=True)[0])).signals.pins


def test_a_key_that_the_example_lost_is_found_out() -> None:
    """The example may change, but not in silence."""
    with pytest.raises(KeyError, match=r"camera\.sauce"):
        configuration.put(assets.example(), "camera", "sauce", "x")


# What a configuration asks of the system


def test_rules_give_single_readers(tmp_path: Path) -> None:
    """By vendor and product, by id, or by name; and the network only for a camera that is on it."""
    path = configured(
        tmp_path,
        f"""
badges:
  readers:
    - {{kind: hid, device: "08FF:0009"}}
    - {{kind: hid, device: {SCANNER}}}
    - {{kind: serial, device: {SERIAL}}}
    - {{kind: serial, device: /dev/ttyACM0}}
camera: {{source: "rtsp://camera.school.lan/1"}}
vault: {{site_secret: /etc/edgegate/site.key}}
""",
    )
    asked = needs.needs(load(path))
    give = 'GROUP="edgegate", MODE="0660"'
    assert [
        f'SUBSYSTEM=="input", KERNEL=="event*", ATTRS{{id/vendor}}=="08ff", ATTRS{{id/product}}=="0009", {give}',
        f'SUBSYSTEM=="input", KERNEL=="event*", SYMLINK=="{SCANNER[5:]}", {give}',
        f'SUBSYSTEM=="tty", KERNEL=="tty*", SYMLINK=="{SERIAL[5:]}", {give}',
        f'SUBSYSTEM=="tty", KERNEL=="ttyACM0", {give}',
    ] == asked["rules"]
    assert (True, False) == (asked["network"], asked["csi"])
    assert "/etc/edgegate/site.key" == asked["secret"]
    assert str(tmp_path / "device.key") == asked["device_key"]


def test_a_name_cannot_smuggle_a_rule(tmp_path: Path) -> None:
    """A quotation mark or a star in a device's name would be udev's, running as root."""
    for name in ('/dev/tty", RUN+="/bin/sh', "/dev/tty*"):
        config = load(configured(tmp_path, f"badges: {{readers: [{{kind: serial, device: {json.dumps(name)}}}]}}"))
        with pytest.raises(EdgeGateError, match="is not a name that a udev rule can hold"):
            needs.needs(config)


def test_needs_speaks_json_or_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The installer reads it from another process."""
    assert 0 == needs.main([str(configured(tmp_path, "camera: {source: demo}"))])
    assert False is json.loads(capsys.readouterr().out)["network"]
    assert 2 == needs.main([str(configured(tmp_path, "camera: {source: x}"))])
    assert "camera.source" in capsys.readouterr().err


# What is to be installed


def wheel(folder: Path, name: str = "edgegate-9.0-py3-none-any.whl", *, listed: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.writestr("edgegate/__init__.py", "")
        if listed:
            archive.writestr(package.LIST, "a==1\n")
    return folder / name


def test_a_bundle_names_its_wheel(tmp_path: Path) -> None:
    """Wheels lie in its folder `wheels`; the list beside them counts, not the one in our wheel."""
    wheel(tmp_path / "wheels")
    (tmp_path / "requirements.txt").write_text("b==2\n")
    found = package.find(Host(), None, tmp_path, tmp_path)
    assert found is not None
    assert ("b==2\n", tmp_path / "wheels") == (found.requirements, found.wheels)
    assert found.name.startswith("9.0+")


def test_two_builds_of_one_version_differ(tmp_path: Path) -> None:
    """The name is of the bytes: other code or another list is another version."""
    one, two = wheel(tmp_path / "1"), wheel(tmp_path / "2", listed=False)
    names = {package.Package(path, text).name for path in (one, two) for text in ("a==1\n", "a==2\n")}
    assert 4 == len(names)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "holds no wheel of edgegate"),
        (["edgegate-1-py3-none-any.whl", "edgegate-2-py3-none-any.whl"], "holds several wheels of edgegate"),
        (["edgegate-1-py3-none-any.whl", "numpy-2-cp399-cp399-linux_x86_64.whl"], "these wheels are for Python 3.99"),
    ],
)
def test_a_folder_that_cannot_serve(tmp_path: Path, names: list[str], said: str) -> None:
    """Said before anything is changed."""
    for name in names:
        wheel(tmp_path, name)
    with pytest.raises(EdgeGateError, match=said):
        package.find(Host(), None, tmp_path, tmp_path)


@pytest.mark.parametrize("name", ["edgegate-1-py3-none-any.whl", "other-1-py3-none-any.whl", "folder", "missing"])
def test_what_is_no_wheel_of_ours(tmp_path: Path, name: str) -> None:
    """A damaged file, a stranger's wheel, a folder that is no checkout, nothing."""
    (tmp_path / "folder").mkdir()
    if name.startswith("edgegate"):
        (tmp_path / name).write_bytes(b"PK not really")
    elif name.startswith("other"):
        wheel(tmp_path, name)
    with pytest.raises(EdgeGateError, match=r"is not a wheel of edgegate|is neither a wheel nor a checkout"):
        package.find(Host(), tmp_path / name, None, tmp_path)
