"""`edgegate service install`, `upgrade` and `uninstall`, into a folder that stands for a device's root.

A real environment, a real wheel of this checkout, real pip without network. What it needs is not installed again: the
version finds the libraries of these tests. Starting and going back need a running systemd: tests/system has one.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shutil
import signal
import site
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgegate import device_key
from edgegate.deploy import assets, system
from edgegate.deploy.command import run as service
from edgegate.deploy.host import Host
from edgegate.deploy.install import Wish, install, upgrade
from edgegate.deploy.uninstall import uninstall
from edgegate.deploy.versions import Versions
from edgegate.errors import EdgeGateError

ROOT = Path(__file__).parent.parent
LIBRARIES = ":".join(site.getsitepackages())
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="makes users and gives folders to them, which only root may do"),
    pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="this machine has no systemd-sysusers"),
]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders with one wheel each: `9.1` and `9.2` of this checkout, `broken` that cannot be imported."""
    made = {}
    for name, version in (("9.1", "9.1"), ("9.2", "9.2"), ("broken", "9.3")):
        copy, out = (tmp_path_factory.mktemp(kind) for kind in ("checkout", "bundle"))
        for part in ("edgegate", "systemd"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        for part in ("pyproject.toml", "README.md", "LICENSE", "config.example.yaml"):
            shutil.copy(ROOT / part, copy)
        first = copy / "edgegate/__init__.py"
        text = re.sub(r'__version__ = ".*"', f'__version__ = "{version}"', first.read_text("utf-8"))
        first.write_text(text + ("import no_such_library\n" if name == "broken" else ""), "utf-8")
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
        subprocess.run(command, cwd=copy, check=True, capture_output=True)
        (out / "requirements.txt").write_text("# what these tests run on is there already\n")
        made[name] = out
    return made


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """An empty root."""
    (tmp_path / "etc").mkdir()
    return Host(tmp_path, {"PYTHONPATH": LIBRARIES})


class Screen:
    """What was said, by step."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, step: str, text: str) -> None:
        self.lines.append((step, text))

    def __getitem__(self, step: str) -> str:
        return " | ".join(text for name, text in self.lines if name == step)


def installed(host: Host, folder: Path) -> Screen:
    screen = Screen()
    assert 0 == install(host, Wish(wheels=folder), screen)
    return screen


def files(host: Host) -> dict[str, tuple[int, bytes]]:
    """Every file of the root but the versions' own and locks: mode and bytes."""
    found = {}
    for path in sorted(host.root.rglob("*")):
        name = str(path.relative_to(host.root))
        if path.is_file() and not name.startswith(("opt/", "run/")) and not name.endswith((".pwd.lock", "-")):
            found[name] = (path.stat().st_mode, path.read_bytes())
    return found


def test_from_nothing_and_again(host: Host, wheels: dict[str, Path]) -> None:
    """Version, files, user, folders, configuration, command; the second time there is nothing to do."""
    screen = installed(host, wheels["9.1"])
    current = Versions(host).current()
    assert current is not None
    assert current.startswith("9.1+")
    assert f"opt/edgegate/versions/{current}" == str(
        (host.root / "opt/edgegate/current").resolve().relative_to(host.root)
    )
    program = host.path("/opt/edgegate/current/bin/edgegate")
    assert "edgegate 9.1\n" == host.run(program, "--version")
    assert list(host.path("/opt/edgegate/current").glob("lib/python3*/site-packages/edgegate/__pycache__/app.*.pyc"))
    for name, place in assets.PLACES.items():
        assert assets.unit(name) == host.path(place).read_text("utf-8")
    assert "/etc/edgegate/config.yaml: written" == screen["configuration"]
    assert "/etc/edgegate/issuer.pub and /etc/edgegate/site.key not there yet" in screen["service"]
    assert "edgegate issuer init" in screen["next"]
    assert Path("/opt/edgegate/current/bin/edgegate") == host.path("/usr/local/bin/edgegate").readlink()
    config = host.path("/etc/edgegate/config.yaml").stat()
    assert (0o640, 0) == (config.st_mode & 0o777, config.st_uid)
    assert config.st_gid == host.path("/etc/edgegate").stat().st_gid != 0
    assert host.path("/etc/systemd/system/multi-user.target.wants/edgegate.service").is_symlink()

    before = files(host)
    again = installed(host, wheels["9.1"])
    assert before == files(host)
    assert [f"{current}: nothing to do"] + ["nothing to do"] * 3 == [
        again[step] for step in ("version", "files", "user", "folders")
    ]
    assert "/etc/edgegate/config.yaml: kept" == again["configuration"]


def test_the_device_has_a_key_of_its_own(host: Host, wheels: dict[str, Path]) -> None:
    """Made by the installation, root's alone, named in unit and configuration, never made twice; a gate from before
    there were keys gets one, and a public part that was lost comes back."""
    assert "/etc/edgegate/device.key: made" == installed(host, wheels["9.1"])["device key"]
    private, public = host.path("/etc/edgegate/device.key"), host.path("/etc/edgegate/device.pub")
    assert [(0o600, 0, 0), (0o644, 0, 0)] == [
        (found.st_mode & 0o777, found.st_uid, found.st_gid) for found in (private.stat(), public.stat())
    ]
    message = b"edgegate receipt 1\n"
    assert device_key.load_public(private).verifies(message, device_key.load(private).sign(message))
    assert "  device_key: /etc/edgegate/device.key" in host.path("/etc/edgegate/config.yaml").read_text("utf-8")
    unit = host.path(assets.PLACES["edgegate.service"]).read_text("utf-8")
    assert "\nLoadCredential=device.key:/etc/edgegate/device.key\nSetCredential=device.key:none\n" in unit

    kept = private.read_bytes(), public.read_bytes()
    public.unlink()
    assert "/etc/edgegate/device.key: made" == installed(host, wheels["9.1"])["device key"]
    assert kept == (private.read_bytes(), public.read_bytes())
    private.unlink()
    public.unlink()
    screen = installed(host, wheels["9.2"])
    assert "/etc/edgegate/device.key: made" == screen["device key"]
    assert screen["upgrade"].startswith("from 9.1")
    assert kept[0] != private.read_bytes()

    private.unlink()
    screen = installed(host, wheels["9.2"])
    assert "not made: " in screen["device key"]
    assert "its private part device.key is not" in screen["device key"]
    assert not private.exists()


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path]) -> Host:
    """A root with version 9.1, whose configuration the tests below exchange."""
    root = tmp_path_factory.mktemp("device")
    (root / "etc").mkdir()
    made = Host(root, {"PYTHONPATH": LIBRARIES})
    installed(made, wheels["9.1"])
    return made


def test_a_configuration_of_ones_own_is_kept_and_followed(device: Host, wheels: dict[str, Path]) -> None:
    """Never overwritten; what it needs is put in place, and goes when it is needed no longer."""
    config, secret = device.path("/etc/edgegate/config.yaml"), "vault: {site_secret: /etc/edgegate/site.key}\n"
    text = secret + 'camera: {source: "rtsp://10.0.0.7/1"}\nbadges: {readers: [{kind: hid, device: "08ff:0009"}]}\n'
    config.write_text(text, "utf-8")
    network = device.path(assets.CHOSEN["edgegate-network.conf"])
    installed(device, wheels["9.1"])
    assert text == config.read_text("utf-8")
    assert assets.unit("edgegate-network.conf") == network.read_text("utf-8")
    assert "08ff" in device.path(assets.READER_RULES).read_text("utf-8")
    assert not device.path(assets.CHOSEN["edgegate-csi.conf"]).exists()

    config.write_text(secret, "utf-8")
    installed(device, wheels["9.1"])
    assert not network.exists()
    assert not device.path(assets.READER_RULES).exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("camera: {sauce: x}\n", r"sauce"),
        ("vault: {site_secret: other.key}\n", r"the service reads /etc/edgegate/site\.key"),
        (
            "gate: {device_key: other.key}\nvault: {site_secret: /etc/edgegate/site.key}\n",
            r"the service reads /etc/edgegate/device\.key",
        ),
    ],
)
def test_a_configuration_that_cannot_serve(device: Host, wheels: dict[str, Path], text: str, said: str) -> None:
    """A mistake, or a key where the unit does not look for it: one line."""
    device.path("/etc/edgegate/config.yaml").write_text(text, "utf-8")
    with pytest.raises(EdgeGateError, match=said) as caught:
        install(device, Wish(wheels=wheels["9.1"]), Screen())
    assert "\n" not in str(caught.value)


def test_the_old_version_stays_beside_the_new(host: Host, wheels: dict[str, Path]) -> None:
    """Two versions are kept, the third in age goes; a version that does not work is never switched to."""
    installed(host, wheels["9.1"])
    first = Versions(host).current()
    screen = installed(host, wheels["9.2"])
    second = Versions(host).current()
    assert f"from {first} to {second}" == screen["upgrade"]
    assert [second, first] == Versions(host).used()
    assert first == Versions(host).previous()

    with pytest.raises(EdgeGateError, match=r"version 9\.3\S* does not work on this machine .*no_such_library"):
        install(host, Wish(wheels=wheels["broken"]), Screen())
    assert second == Versions(host).current()
    assert [second, first] == Versions(host).used()

    for name, mark in (("9.0+old", ".used"), ("9.9+tried", ".complete")):
        folder = host.path(f"/opt/edgegate/versions/{name}")
        folder.mkdir()
        (folder / mark).touch()
        os.utime(folder / mark, (0, 0))
    assert "9.0+old, 9.9+tried" == installed(host, wheels["9.2"])["removed"]
    assert [second, first] == Versions(host).used()


def test_upgrade_needs_an_installation(host: Host, wheels: dict[str, Path]) -> None:
    """`upgrade` of nothing is a mistake worth telling."""
    with pytest.raises(EdgeGateError, match="nothing is installed yet"):
        upgrade(host, Wish(wheels=wheels["9.1"]), Screen())


def test_killed_in_the_middle(host: Host, wheels: dict[str, Path]) -> None:
    """kill -9 at several moments: `current` works at each, and the next installation finishes what was begun."""
    installed(host, wheels["9.1"])
    first = Versions(host).current()
    code = (
        "import sys; from pathlib import Path; from edgegate.deploy.host import Host; "
        "from edgegate.deploy.install import Wish, install; "
        "root, wheels, path = sys.argv[1:]; "
        "install(Host(Path(root), {'PYTHONPATH': path}), Wish(wheels=Path(wheels)), lambda *_: None)"
    )
    arguments = [sys.executable, "-c", code, str(host.root), str(wheels["9.2"]), host.environment["PYTHONPATH"]]
    for wait_s in (0.3, 1.0, 2.5):
        with subprocess.Popen(arguments, cwd=ROOT, start_new_session=True) as process:
            time.sleep(wait_s)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        assert Versions(host).current() is not None
        assert host.run(host.path("/opt/edgegate/current/bin/edgegate"), "--version").startswith("edgegate 9.")
    installed(host, wheels["9.2"])
    assert "edgegate 9.2\n" == host.run(host.path("/opt/edgegate/current/bin/edgegate"), "--version")
    names = {path.name for path in Versions(host).folder.iterdir()}
    assert {first, Versions(host).current()} == names


@pytest.fixture
def small_disk(host: Host) -> Iterator[Host]:
    """A root whose /opt has 30 MB."""
    place = host.path("/opt/edgegate")
    place.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=30m", "none", str(place)], check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield host
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_leaves_the_old_version_alone(small_disk: Host, wheels: dict[str, Path]) -> None:
    """One line; what was begun is gone."""
    installed(small_disk, wheels["9.1"])
    first = Versions(small_disk).current()
    filler = small_disk.path("/opt/edgegate/filler")
    with contextlib.suppress(OSError), filler.open("wb") as stream:
        while True:
            stream.write(bytes(1 << 16))
            stream.flush()
    with pytest.raises(EdgeGateError, match="the disk is full") as caught:
        install(small_disk, Wish(wheels=wheels["9.2"]), Screen())
    assert "\n" not in str(caught.value)
    assert [first] == [path.name for path in Versions(small_disk).folder.iterdir()]


def test_uninstall_keeps_what_is_the_schools(host: Host, wheels: dict[str, Path]) -> None:
    """Programs, units and rules go; keys, configuration and data only with --purge. Twice does no harm."""
    nothing = files(host)
    installed(host, wheels["9.1"])
    host.path("/var/lib/edgegate/vault.db").write_text("the vault")
    screen = Screen()
    assert 0 == uninstall(host, screen, purge=False)
    assert "/etc/edgegate and /var/lib/edgegate (--purge removes them)" == screen["kept"]
    assert {
        "etc/edgegate/config.yaml",
        "etc/edgegate/device.key",
        "etc/edgegate/device.pub",
        "etc/group",
        "etc/gshadow",
        "etc/passwd",
        "etc/shadow",
        "var/lib/edgegate/vault.db",
    } == set(files(host))
    assert not host.path("/opt/edgegate").exists()
    assert not os.path.lexists(host.path("/usr/local/bin/edgegate"))
    assert not os.path.lexists(host.path("/etc/systemd/system/multi-user.target.wants/edgegate.service"))
    assert 0 == uninstall(host, screen, purge=True)
    assert "edgegate:" not in host.path("/etc/passwd").read_text("utf-8")
    assert {"etc/group", "etc/gshadow", "etc/passwd", "etc/shadow"} == set(files(host)) - set(nothing)
    assert 0 == uninstall(host, Screen(), purge=True)


def test_a_program_of_that_name_is_not_ours(tmp_path: Path) -> None:
    """Somebody's own /usr/local/bin/edgegate is neither replaced nor removed."""
    host = Host(tmp_path)
    own = host.path(system.COMMAND)
    own.parent.mkdir(parents=True)
    own.write_text("#!/bin/sh\n")
    assert [] == system.command(host)
    uninstall(host, Screen(), purge=False)
    assert "#!/bin/sh\n" == own.read_text("utf-8")


def test_the_wheel_installs_itself(host: Host, wheels: dict[str, Path]) -> None:
    """With nothing but Python's own library: no site-packages, only the wheel on the path."""
    own = next(wheels["9.1"].glob("*.whl"))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(own)}
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-m", "edgegate.deploy", "--version"],
        cwd=host.root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "edgegate 9.1\n", "") == (done.returncode, done.stdout, done.stderr)
    code = "import edgegate.deploy.command, sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-c", code],
        cwd=host.root,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"edgegate"} == set(done.stdout.split()) - set(sys.stdlib_module_names) - {"__main__"}
    code = "from edgegate.deploy import assets as a; print(a.unit('edgegate.service') + a.example() + a.requirements())"
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-c", code],
        cwd=host.root,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    texts = (assets.unit("edgegate.service"), assets.example(), assets.requirements())
    assert "".join(texts) == done.stdout[:-1]


def test_status_of_nothing(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """One screen, the next step on it, and an exit code that a script can use."""
    assert 1 == service(argparse.Namespace(action="status"), host)
    assert "none installed" in capsys.readouterr().out


def test_purging_asks(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal and without --yes nothing is removed."""
    host.path("/etc/edgegate").mkdir()
    monkeypatch.setattr(sys, "stdin", io.StringIO("purge\n"))
    with pytest.raises(EdgeGateError, match="add --yes"):
        service(argparse.Namespace(action="uninstall", purge=True, yes=False), host)
    assert host.path("/etc/edgegate").is_dir()
