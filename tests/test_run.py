"""`edgegate run` as a process of its own: what it writes where, how it stops, what it survives."""

from __future__ import annotations

import io
import json
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from typing import Any

import cv2

from edgegate.adapters import open_journal, open_vault
from edgegate.app import App
from edgegate.camera.people import portrait
from edgegate.events import JsonLines
from edgegate.state import Phase
from edgegate.words import Words
from tests.commands import Cli
from tests.conftest import Site
from tests.recordings import HOLD, PATIENCE_S, command, events, picture, play, reasons, record, run


@contextmanager
def running(site: Site, *args: str, typed: bytes = b"") -> Iterator[subprocess.Popen[bytes]]:
    """A gate that runs until the test stops it, or is over; whatever happens, it does not stay."""
    with subprocess.Popen(
        command("run", "--events", "-", *args),
        cwd=site.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdin is not None
            process.stdin.write(typed)
            process.stdin.flush()
            yield process
        finally:
            process.kill()


def until(process: subprocess.Popen[bytes], kind: str) -> dict[str, Any]:
    """Reads events until one of this kind comes."""
    assert process.stdout is not None
    for line in process.stdout:
        event: dict[str, Any] = json.loads(line)
        if event["event"] == kind:
            return event
    raise AssertionError(f"no event {kind}")


def played(site: Site) -> str:
    """The event stream of a recording, played in this process."""
    stream = io.StringIO()
    with App(site.config, observers=[JsonLines(stream, Words("en"))], until_end=True) as app:
        app.run()
    return stream.getvalue()


def test_simulated_frames_decide_by_the_face(site: Site, cli: Cli) -> None:
    """Enrolled from a photograph, with the embedded weights: the same person passes, another one is an alarm."""
    faces = {"pack": "dlib", "timeout_s": 0.5}
    site.configure(camera={"width": 1280, "height": 720}, faces=faces)
    for name, person in (("anna", "astronaut"), ("ben", "group-1")):
        cv2.imwrite(str(site.folder / f"{name}.png"), portrait(person))
    consent = ("--consent-by", "both", "--consent-version", "1", "--expires")
    soon = (date.today() + timedelta(days=30)).isoformat()
    words = ["enroll", "add", "--volunteer", "--photo", "anna.png", "--badge-out", "b.png"]
    assert 0 == cli(*words, *consent, soon, cwd=site.folder)[0]
    for person in ("anna", "ben"):
        made = cli(*f"simulate --photo {person}.png --badge b.png --frames 10 --out {person}".split())
        assert (0, "") == (made[0], made[2])
    site.configure(camera={"source": "frames:anna"}, faces=faces, gate={"hold": HOLD})
    done = run(site, "run", "--events", "-", "--until-end")
    assert 0 == done.returncode, done.stderr
    site.configure(camera={"source": "frames:ben"}, faces=faces, gate={"hold": HOLD})
    for stream, decision, reason in ((done.stdout, "granted", "match"), (played(site), "alarm", "no_match")):
        (found,) = [event for event in events(stream) if event["event"] == "decision"]
        assert (1, decision, reason) == (found["presentation"], found["decision"], found["reason"])
        assert found["latency_ms"] > 0


def test_the_same_frames_give_the_same_events(site: Site) -> None:
    """Twice the same play: the same lines on stdout but for the computing time, logs on stderr, exit code 0."""
    expected = play(site)
    first, second = (run(site, "run", "--events", "-", "--until-end") for _ in range(2))
    assert [0, 0] == [first.returncode, second.returncode]
    streams = [events(done.stdout) for done in (first, second)]
    assert expected == reasons(streams[0])
    assert list(range(1, len(expected) + 1)) == [
        event["presentation"] for event in streams[0] if event["event"] == "decision"
    ]
    for stream in streams:
        for event in stream:
            event.pop("latency_ms", None)
    assert streams[0] == streams[1]
    assert [] == [line for line in first.stderr.splitlines() if not line.startswith(("INFO ", "WARNING "))]
    assert "fake" in first.stderr


def test_the_lights_follow_the_decisions(site: Site) -> None:
    """Green only with a match, red and buzzer with an alarm, amber otherwise; the words are those of the language."""
    play(site)
    found = events(played(site))
    shown, levels = [], dict.fromkeys(("green", "amber", "red", "buzzer"), "off")
    words = Words("en")
    for event in found:
        if event["event"] == "signal":
            levels = {name: event[name] for name in levels}
        elif event["event"] == "state" and event["state"] in ("GRANTED", "ALARM", "REFER"):
            shown.append((event["state"], {name for name, level in levels.items() if level != "off"}))
            assert words.state(Phase(event["state"])) == event["sentence"]
    assert [
        ("GRANTED", {"green", "buzzer"}),
        ("ALARM", {"red", "buzzer"}),
        ("REFER", {"amber"}),
        ("ALARM", {"red", "buzzer"}),
        ("REFER", {"amber"}),
        ("REFER", {"amber"}),
    ] == shown
    assert "off" == levels["green"]


def test_real_time_decides_as_well(site: Site) -> None:
    """`pace: real`, with threads on the machine's clock, on a short recording."""
    site.enrol("ana", badge="b.png")
    record(
        site,
        (12, picture(site.folder / "b.png", "ana")),
        fps=10,
        camera={"pace": "real", "max_age_s": 10},
        faces={"timeout_s": 20},
    )
    done = run(site, "run", "--events", "-", "--until-end")
    found = events(done.stdout)
    assert (0, ["match"]) == (done.returncode, reasons(found))
    states = [event["state"] for event in found if event["event"] == "state"]
    assert ["CHECKING", "LOOKING", "GRANTED"] == [state for state in states if state not in ("READY", "FAULT")]


def test_a_video_is_played_to_its_end(site: Site) -> None:
    """`video:FILE` with `pace: fast`; the events go to a file, after what it held."""
    site.enrol(None, badge="b.png")
    film = site.folder / "film.avi"
    frame = picture(site.folder / "b.png", "ana")
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 5, (frame.shape[1], frame.shape[0]))
    assert writer.isOpened()
    for _ in range(6):
        writer.write(frame)
    writer.release()
    site.configure(camera={"source": "video:film.avi", "fps": 5}, gate={"hold": HOLD})
    (site.folder / "events.txt").write_text("# kept\n")
    done = run(site, "run", "--events", "events.txt", "--until-end")
    assert (0, "") == (done.returncode, done.stdout)
    first, *rest = (site.folder / "events.txt").read_text().splitlines()
    assert ("# kept", ["not_enrolled"]) == (first, reasons(events("\n".join(rest))))


def test_a_reader_that_types(site: Site) -> None:
    """`kind: stdin`: each line is a presentation, also the same one again; other codes get a word for the student."""
    enrolled, lost = site.enrol("ana"), site.enrol("ben")
    site.revoke(lost)
    record(site, (30, picture(None, "ana")), badges={"readers": [{"kind": "stdin"}]})
    typed = "\n".join([enrolled.text, "4006381333931", lost.text, enrolled.text]) + "\n"
    done = run(site, "run", "--events", "-", "--until-end", typed=typed.encode())
    found = events(done.stdout)
    assert (0, ["match", "revoked", "match"]) == (done.returncode, reasons(found))
    assert ["not_a_badge"] == [event["hint"] for event in found if event["event"] == "hint"]


def test_two_gates_cannot_run_and_sigterm_ends_one(site: Site) -> None:
    """The second refuses in one line; the first goes on, and on SIGTERM ends well with its outputs safe."""
    site.configure(camera={"source": "demo", "pace": "real"})
    with running(site) as first:
        assert "signal" == until(first, "signal")["event"]
        second = run(site, "run")
        line = f"edgegate: {site.folder / 'journal.lock'}: another EdgeGate runs this gate already; stop that one first"
        assert (2, "", [line]) == (second.returncode, second.stdout, second.stderr.splitlines())
        assert first.poll() is None
        first.send_signal(signal.SIGTERM)
        out, err = first.communicate(timeout=PATIENCE_S)
        assert 0 == first.returncode
    assert b"Traceback" not in err
    last = [event for event in events(out.decode()) if event["event"] == "signal"][-1:]
    assert [{"event": "signal", "green": "off", "amber": "on", "red": "off", "buzzer": "off"}] == last
    with closing(open_journal(site.config)) as journal:
        assert ["start", "stop"] == [row.kind for row in journal.rows() if row.kind != "decision"]


def test_a_gate_that_is_killed_starts_again(site: Site) -> None:
    """kill -9 right after a decision: the decision is kept, vault and journal are whole, and the next run goes on."""
    enrolled = site.enrol(None)
    site.configure(
        camera={"source": "demo", "pace": "real"}, badges={"readers": [{"kind": "stdin"}]}, gate={"hold": HOLD}
    )
    with running(site, typed=f"{enrolled.text}\n".encode() * 9) as process:
        assert "not_enrolled" == until(process, "decision")["reason"]
        process.kill()
        process.wait(PATIENCE_S)
        assert -signal.SIGKILL == process.returncode
    with closing(open_journal(site.config)) as journal:
        before = list(journal.rows())
        assert len(before) == journal.verify()
    assert ["start", "decision"] == [row.kind for row in before][:2]
    record(site, (3, picture()))
    assert [] == reasons(events(played(site)))
    with closing(open_journal(site.config)) as journal:
        assert len(before) + 2 == journal.verify()
        assert before == list(journal.rows())[: len(before)]
    with closing(open_vault(site.config)) as vault:
        assert [enrolled.handle] == [entry.handle for entry in vault.entries()]
    with closing(sqlite3.connect(site.config.vault.path)) as db:
        assert ("ok",) == db.execute("PRAGMA integrity_check").fetchone()


def test_a_listener_that_goes_away_does_not_stop_the_gate(site: Site) -> None:
    """Who reads the events closes the pipe: the gate plays on to the end, and says so once."""
    play(site)
    with running(site, "--until-end") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read().decode()
        process.wait(PATIENCE_S)
    assert (0, 1) == (process.returncode, err.count("events are no longer written"))
    assert "Exception ignored" not in err
    with closing(open_journal(site.config)) as journal:
        assert 6 == len([row for row in journal.rows() if row.kind == "decision"])


def test_until_end_needs_an_end(site: Site, cli: Cli) -> None:
    """A camera has none, nor has the demo: one line."""
    for source in ("demo", "v4l2:/dev/video9"):
        site.configure(camera={"source": source, "pace": "real"})
        line = "edgegate: --until-end: a camera has no end; use it with camera.source frames: or video:\n"
        assert (2, "", line) == cli("run", "--until-end", cwd=site.folder)
