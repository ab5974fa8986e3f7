"""Nothing on disk: after presentations, and however the gate ends, no face, template, key or name is in any file.

The real gate runs as a process of its own, with real weights; its frames are pictures of a person with a badge. What
is looked for, in which forms and where, is in `tests.canaries`; that it is found in every kind of place is shown first.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import uniform

import cv2
import numpy as np
import pytest
import yaml

from edgegate import enrolment
from edgegate.adapters import load_faces, open_book, open_vault
from edgegate.badges import issuer
from edgegate.camera.feed import KEPT_S
from edgegate.camera.people import portrait
from edgegate.camera.scene import Scene, compose
from edgegate.camera.scripted import Sensor
from edgegate.images import read_image
from edgegate.model import Credential, Image
from edgegate.vault import secret
from tests import canaries
from tests.canaries import Hunt
from tests.conftest import Site
from tests.recordings import HOLD, PATIENCE_S, command

PERSON, PHOTO = "Ondine Valcourt", "valcourt-o-4b"
STRIP_PX = 24
FPS = 10
TEMPORARY = tuple(Path(name) for name in ("/tmp", "/var/tmp", "/dev/shm", f"/run/user/{os.getuid()}"))
WRITTEN = ("state", "tmp", "home", "log")
"""The folders the gate may write to, or might."""
KILLS = 3


@dataclass(frozen=True)
class House:
    """A gate with one volunteer; what it may read, where it may write, and what must never be there."""

    folder: Path
    site: Site
    hunt: Hunt

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def events(self) -> Path:
        return self.folder / "log" / "events.jsonl"

    @property
    def environment(self) -> dict[str, str]:
        folders = {"TMPDIR": "tmp", "HOME": "home", "XDG_CACHE_HOME": "home", "XDG_RUNTIME_DIR": "home"}
        return os.environ | {name: str(self.folder / folder) for name, folder in folders.items()}

    def written(self) -> list[str]:
        """What is found in the folders the gate writes to."""
        return self.hunt.in_files(self.folder / name for name in WRITTEN)

    @contextmanager
    def running(self, *args: str) -> Iterator[subprocess.Popen[bytes]]:
        """The gate, in the folder of its vault."""
        self.events.unlink(missing_ok=True)
        with (self.folder / "log" / "stderr.txt").open("ab") as stderr:
            process = subprocess.Popen(
                command("run", "--events", str(self.events), *args),
                cwd=self.site.folder,
                env=self.environment,
                stderr=stderr,
            )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def told(self, process: subprocess.Popen[bytes], kind: str, **more: object) -> list[dict[str, object]]:
        """Waits until the running gate has told of such an event; all of them so far."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and process.poll() is None:
            lines = self.events.read_text("utf-8").splitlines() if self.events.exists() else []
            wanted = {"event": kind} | more
            if found := [
                event
                for event in map(json.loads, lines)
                if all(event.get(key) == value for key, value in wanted.items())
            ]:
                return found
            time.sleep(0.05)
        raise AssertionError(f"no {kind}: {(self.folder / 'log' / 'stderr.txt').read_text('utf-8')[-2000:]}")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Enrolled by the real command, from a photograph whose folder and name say whose it is."""
    folder, dice = tmp_path_factory.mktemp("house"), np.random.default_rng()
    for name in (*WRITTEN, f"source/{PERSON}", "source/frames"):
        (folder / name).mkdir(parents=True)
    made = House(folder, Site(folder / "state"), Hunt({}))
    config = made.site.configure(
        gate={"hold": HOLD},
        faces={"pack": "dlib"},
        camera={"source": f"frames:{made.source}/frames", "width": 1280, "height": 720, "fps": FPS, "pace": "real"},
    )
    issuer.create(config.badges.issuers[0], "Test school", None)
    secret.create(config.vault.site_secret)
    strip, sensor = dice.integers(0, 256, (720, STRIP_PX, 3), np.uint8), Sensor(dice)

    def shoot(scene: Scene) -> Image:
        """With a strip of noise down the left edge, like no other in the world."""
        picture = sensor.expose(compose(scene, 1280, 720, dice))
        picture[:, :STRIP_PX] = strip
        return picture

    photo, badge = made.source / PERSON / f"{PHOTO}.png", made.source / "badge.png"
    enrolled = shoot(Scene((portrait("astronaut"),)))
    cv2.imwrite(str(photo), enrolled)
    consent = ("--volunteer", "--consent-by", "both", "--consent-version", "1")
    soon = (date.today() + timedelta(days=30)).isoformat()
    with (folder / "log" / "enroll.txt").open("wb") as out:
        words = command("enroll", "add", "--photo", str(photo), *consent, "--expires", soon, "--badge-out", str(badge))
        subprocess.run(words, cwd=made.site.folder, env=made.environment, stdout=out, stderr=out, check=True)
    presented = shoot(Scene((portrait("astronaut"),), read_image(badge)))
    play(made.source / "frames", [(presented, 20), (shoot(Scene()), 25)] * 4)
    return House(folder, made.site, Hunt(secrets_of(made, photo, badge, enrolled, presented)))


def play(folder: Path, scenes: Sequence[tuple[Image, int]]) -> None:
    """Each picture's file, linked so many times."""
    number = 0
    for picture, times in scenes:
        first = folder / f"{number:05}.png"
        cv2.imwrite(str(first), picture)
        for _ in range(times - 1):
            number += 1
            os.link(first, folder / f"{number:05}.png")
        number += 1


def secrets_of(house: House, photo: Path, badge: Path, enrolled: Image, presented: Image) -> canaries.Canaries:
    """Everything of this person's that must be in no file of the gate's."""
    text = enrolment.read_badge(badge)
    credential = open_book(house.site.config).verify(text)
    assert isinstance(credential, Credential)
    assert credential.badge_key is not None
    with closing(open_vault(house.site.config)) as vault:
        template = vault.unseal(credential, load_faces(house.site.config).pack.id).take().vector
    return {
        **{f"enrolment {name}": needles for name, needles in canaries.of_picture(enrolled).items()},
        **{f"presented {name}": needles for name, needles in canaries.of_picture(presented).items()},
        **canaries.of_template(template),
        **canaries.of_file("enrolment photograph", photo),
        **canaries.of_file("frame", house.source / "frames" / "00000.png"),
        **canaries.of_file("badge picture", badge),
        **canaries.of_text("name of the person", PERSON),
        **canaries.of_text("name of the photograph", PHOTO),
        **canaries.of_text("badge", text[20:60]),
        **canaries.of_bytes("badge key", credential.badge_key),
        **canaries.of_bytes("badge id", credential.badge_id),
    }


@pytest.fixture
def cores() -> Iterator[None]:
    """Whoever is started here may dump core; the gate forbids it to itself."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


def in_a_file(folder: Path, data: bytes) -> None:
    (folder / "state" / "deep" / "er").mkdir(parents=True)
    (folder / "state" / "deep" / "er" / ".x").write_bytes(data)


def in_a_temporary_file(folder: Path, data: bytes) -> None:
    (folder / "tmp" / "tmpabc").write_bytes(data)


def in_a_database(folder: Path, data: bytes) -> None:
    """Committed, and in the write-ahead log alone."""
    path = folder / "state" / "journal.db"
    code = (
        "import os, sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1])\n"
        "db.execute('PRAGMA journal_mode=WAL')\n"
        "db.execute('CREATE TABLE found (what BLOB)')\n"
        "db.execute('INSERT INTO found VALUES (?)', (sys.stdin.buffer.read(),))\n"
        "db.commit()\n"
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, path], input=data, check=True)
    assert path.with_name("journal.db-wal").exists()


def in_the_log(folder: Path, data: bytes) -> None:
    code = "import os, sys; os.write(2, sys.stdin.buffer.read())"
    with (folder / "log" / "stderr.txt").open("wb") as stream:
        subprocess.run([sys.executable, "-c", code], input=data, stderr=stream, check=True)


def in_a_core_dump(folder: Path, data: bytes) -> None:
    code = "import os, sys; kept = sys.stdin.buffer.read(); os.abort()"
    subprocess.run([sys.executable, "-c", code], input=data, cwd=folder / "state", check=False)
    if not list((folder / "state").glob("*core*")):
        pytest.skip(f"no core dump is left where it crashed: {Path('/proc/sys/kernel/core_pattern').read_text()!r}")


FILES = (in_a_file, in_a_temporary_file, in_a_database, in_the_log, in_a_core_dump)


@pytest.mark.parametrize("plant", FILES)
@pytest.mark.usefixtures("cores")
def test_the_search_finds_every_canary_in_files(
    plant: Callable[[Path, bytes], None], house: House, tmp_path: Path
) -> None:
    """Each of them, in each kind of file, across the borders of what is read at once; and none where none is."""
    other = House(tmp_path, Site(tmp_path / "state"), house.hunt)
    for name in WRITTEN:
        (tmp_path / name).mkdir()
    (tmp_path / "log" / "plain.txt").write_bytes(bytes(range(256)) * 9000)
    assert [] == other.written()
    plant(tmp_path, planted(house))
    assert set(house.hunt.needles) == {line.partition(" in ")[0] for line in other.written()}


def planted(house: House) -> bytes:
    """One needle of each canary, the last across the border of a megabyte."""
    data = b"".join(needles[-1] + bytes(50) for needles in house.hunt.needles.values())
    return bytes(canaries.CHUNK - len(data) + 60) + data


HOLDING = """
import mmap, os, signal, sys
data, how, folder = sys.stdin.buffer.read(), sys.argv[1], sys.argv[2]
if how == "memfd":
    file = os.memfd_create("held")
else:
    path = os.path.join("/dev/shm" if how == "shm" else folder, f"held-{os.getpid()}")
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    os.unlink(path)
os.write(file, data)
if how == "mapped":
    os.ftruncate(file, len(data))
    held = mmap.mmap(file, len(data))
    os.close(file)
print("held", flush=True)
signal.pause()
"""


@pytest.mark.parametrize("how", ["deleted", "mapped", "memfd", "shm"])
def test_the_search_finds_every_canary_in_a_process(how: str, house: House, tmp_path: Path) -> None:
    """In a file that is open though it was deleted, mapped though it was closed, or never had a name."""
    arguments = [sys.executable, "-c", HOLDING, how, str(tmp_path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(planted(house))
            process.stdin.close()
            assert b"held\n" == process.stdout.readline()
            found = house.hunt.in_process(process.pid, house.source)
        finally:
            process.kill()
    assert set(house.hunt.needles) == {line.partition(" in ")[0] for line in found}


def newcomers(before: set[Path]) -> list[Path]:
    """What appeared where programs put temporary files that have not heard of TMPDIR; ours are below pytest's own."""
    new = [path for path in entries() - before if not path.name.startswith("pytest-")]
    return [*new, *(inner for path in new if path.is_dir() for inner in path.iterdir() if inner.is_file())]


def entries() -> set[Path]:
    return {path for folder in TEMPORARY if folder.is_dir() for path in folder.iterdir()}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGABRT])
@pytest.mark.usefixtures("cores")
def test_nothing_is_left_by_a_gate_that_stops_or_crashes(how: signal.Signals, house: House) -> None:
    """After a match; the crash would dump core: nothing sets a limit to it but the gate itself."""
    before = entries()
    with house.running() as process:
        assert "match" == house.told(process, "decision")[0]["reason"]
        unlimited = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.prlimit(process.pid, resource.RLIMIT_CORE, (unlimited, unlimited))
        process.send_signal(how)
        ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    assert (os.CLD_KILLED if how is signal.SIGABRT else os.CLD_EXITED) == ended.si_code
    assert [] == house.written()
    assert [] == house.hunt.in_files(newcomers(before))


@pytest.mark.parametrize("time_of_death", range(KILLS))
def test_nothing_is_left_by_a_gate_that_is_killed(time_of_death: int, house: House) -> None:
    """At any moment of the first seconds, between two looks or in the middle of one."""
    moment = uniform(0, 6)
    before = entries()
    with house.running() as process:
        house.told(process, "state")
        time.sleep(moment)
        assert process.poll() is None
        process.kill()
        process.wait(PATIENCE_S)
    assert [] == house.written()
    assert [] == house.hunt.in_files(newcomers(before))


def test_a_gate_that_runs_holds_nothing_in_files(house: House) -> None:
    """What it has open and mapped while it reads badges and looks at faces, and what lies in its folders meanwhile."""
    with house.running() as process:
        house.told(process, "state")
        for _ in range(15):
            assert [] == house.written()
            try:
                assert [] == house.hunt.in_process(process.pid, house.source)
            except PermissionError:
                pytest.skip("its open files show to root alone: a gate that runs is not dumpable")
        assert "match" == house.told(process, "decision")[0]["reason"]


def test_a_gate_forgets_what_it_saw(house: House) -> None:
    """While it looks, the picture is in its memory, so the search is good; seconds after the last picture there is
    neither a picture nor a template any more, though nothing came after it that could have taken its place. A badge's
    text may still lie about in what Python freed and has not used again."""
    once = house.source / "once"
    once.mkdir()
    for number in range(20):
        os.link(house.source / "frames" / "00000.png", once / f"{number:05}.png")
    config = yaml.safe_load((house.site.folder / "config.yaml").read_text("utf-8"))
    config["camera"]["source"] = f"frames:{once}"
    (house.site.folder / "once.yaml").write_text(yaml.safe_dump(config), "utf-8")
    with house.running("--config", "once.yaml") as process:
        assert "match" == house.told(process, "decision")[0]["reason"]
        try:
            found = {line.partition(" in ")[0] for line in house.hunt.in_memory(process.pid, written)}
        except PermissionError:
            pytest.skip("its memory shows to root alone: a gate that runs is not dumpable")
        assert "presented picture, BGR" in found
        house.told(process, "state", faults=["camera_lost"])  # the recording has ended
        time.sleep(KEPT_S)
        found = {line.partition(" in ")[0] for line in house.hunt.in_memory(process.pid, written)}
    assert set() == found - {"badge", "badge key", "badge id"}


def written(modes: str, name: str) -> bool:
    """Memory of the process' own, and no code."""
    return modes[1] == "w" and not name.startswith("/dev/")
