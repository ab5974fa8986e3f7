"""What a running gate never tells, and the faces it does not look at."""

from __future__ import annotations

from contextlib import closing

import pytest

from edgegate.adapters import open_journal, open_vault
from edgegate.app import App
from tests.conftest import Site
from tests.recordings import HOLD, events, picture, play, reasons, record, run


def test_nothing_about_a_person_is_told(site: Site) -> None:
    """Neither the events, nor the logs, nor the journal's bytes hold a badge, handle, card number, name or score."""
    expected = play(site)
    extra = site.enrol("farid", badge="extra.png")
    typed = f"{extra.text}\n{extra.text[:-20]}\nEG1:{'A' * 99}\n".encode()
    site.configure(
        gate={"hold": HOLD},
        faces={"timeout_s": 1.0},
        camera={"source": "frames:frames", "fps": 5},
        badges={"readers": [{"kind": "qr", "decoder": "zxing"}, {"kind": "stdin"}]},
    )
    done = run(site, "run", "--events", "-", "--until-end", typed=typed)
    assert 0 == done.returncode
    assert set(reasons(events(done.stdout))) >= {"forged", *expected[1:]}
    with closing(open_journal(site.config)) as journal:
        rows = journal.verify()
        assert rows > len(expected)
    with closing(open_vault(site.config)) as vault:
        handles = [entry.handle for entry in vault.entries()]
    assert 5 == len(handles)
    kept = b"".join(path.read_bytes() for path in site.folder.glob("journal.*"))
    told = done.stdout.encode() + done.stderr.encode() + kept
    secrets = [extra.text[4:60].encode(), extra.card_number.encode(), b"score", b"farid", b"ana.png"]
    secrets += [
        form for handle in handles for form in (handle, handle.hex()[:12].encode(), handle.hex().upper().encode())
    ]
    assert b"not_enrolled" in kept
    assert [] == [secret for secret in secrets if secret in told]


@pytest.mark.parametrize("person", ["ana", None])
def test_no_face_is_looked_at_before_a_volunteers_badge(site: Site, person: str | None) -> None:
    """Faces in view, a diary badge, a revoked and a foreign one: detector and recogniser are not called once."""
    site.enrol(None, badge="diary.png")
    site.revoke(site.enrol("ben", badge="revoked.png"))
    people = [person] if person else []
    record(
        site,
        (20, picture(None, "ana", "ben")),
        (5, picture(site.folder / "diary.png", *people)),
        (12, picture(None, "ben")),
        (5, picture(site.folder / "revoked.png", *people)),
        (12, picture(None, "ana")),
    )
    with App(site.config, until_end=True) as app:
        app.run()
        assert app.faces is not None
        assert (0, 0) == (app.faces.engine.detections, app.faces.engine.embeddings)
        assert 2 == app.gate.state.presentation


def test_a_volunteers_badge_opens_the_face_stage_only_until_the_decision(site: Site) -> None:
    """One look at the first fresh frame, and none any more after the match though the face stays in view."""
    site.enrol("ana", badge="b.png")
    record(site, (5, picture(None, "ana")), (8, picture(site.folder / "b.png", "ana")), (12, picture(None, "ana")))
    with App(site.config, until_end=True) as app:
        app.run()
        assert app.faces is not None
        assert (1, 1) == (app.faces.engine.detections, app.faces.engine.embeddings)
