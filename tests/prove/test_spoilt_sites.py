"""Each claim is seen to fail, and so is the command beside it, on a site where it is not true."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from edgegate.adapters import open_journal
from edgegate.badges.draw import draw
from edgegate.badges.plain import number_id
from edgegate.faces.catalogue import embedded
from edgegate.faces.pack import MANIFEST
from edgegate.model import Consent, Credential, Template
from edgegate.prove.report import Result
from edgegate.prove.visit import CLAIMS
from edgegate.prove.words import Sentences
from edgegate.stores import Entry
from tests.liveness.kit import small_liveness_pack
from tests.prove.kit import DAY_S, ProvedSite, by_hand, missing_tools

INFORM = {"consent.counts", "badges.forms", "journal.head", "journal.looks", "process.running"}
"""They say what there is, and there is nothing they could fail by."""


def extra_file(site: ProvedSite) -> None:
    (site.folder / "notes.txt").write_text("who was late")


def copy_of_the_vault(site: ProvedSite) -> None:
    shutil.copy(site.config.vault.path, site.folder / "vault.bak")


def photograph(site: ProvedSite) -> None:
    cv2.imwrite(str(site.folder / "x.jpg"), np.zeros((40, 40, 3), np.uint8))
    (site.folder / "x.jpg").rename(site.folder / "harmless.txt")


def picture_in_the_vault(site: ProvedSite) -> None:
    picture = cv2.imencode(".png", np.zeros((40, 40, 3), np.uint8))[1].tobytes()
    with site.vault() as db:
        db.execute("INSERT INTO setting VALUES ('logo', ?)", (picture,))


def badge_picture(site: ProvedSite) -> None:
    (site.folder / "badge.png").write_bytes(draw(site.badge_text(), ".png"))


def badge_in_the_home_folder(site: ProvedSite) -> None:
    assert site.home is not None
    (site.home / "Documents" / "print me.png").write_bytes(draw(site.badge_text(), ".png"))


def issuers_key(site: ProvedSite) -> None:
    shutil.copy(site.office / "issuer.key", site.folder)


def column_for_photographs(site: ProvedSite) -> None:
    with site.vault() as db:
        db.execute("ALTER TABLE badge ADD COLUMN photo BLOB")


def embedding_in_the_clear(site: ProvedSite) -> None:
    with site.vault() as db:
        db.execute("UPDATE badge SET sealed = ? WHERE sealed IS NOT NULL", (np.ones(128, np.float32).tobytes(),))


def table_of_scores(site: ProvedSite) -> None:
    with site.journal() as db:
        db.execute("CREATE TABLE score (seq INTEGER, value REAL)")


def name_in_the_journal(site: ProvedSite) -> None:
    site.record(Entry(int(time.time()), "Ada Lovelace"))


def no_consent(site: ProvedSite) -> None:
    with site.vault() as db:
        db.execute("UPDATE badge SET consent_by = NULL WHERE status = 'volunteer'")


def longer_consent(site: ProvedSite) -> None:
    with site.vault() as db:
        db.execute("UPDATE badge SET consent_expires = consent_expires + 1 WHERE status = 'volunteer'")


def plain_badges_allowed(site: ProvedSite) -> None:
    site.configure(badges={"allow_plain": True, "formats": ["code128"]})


def plain_badge(site: ProvedSite) -> None:
    now = int(time.time())
    badge = Credential("", number_id("12345678"), now, now + DAY_S, plain=True)
    site.keep(badge, Template(np.ones(128, np.float32), "dlib/test"), Consent("both", "1", now, now + DAY_S, "fr"))


def old_rows(site: ProvedSite) -> None:
    site.record(Entry(int(time.time()) - 31 * DAY_S, "decision", "refer", "no_face"))


def badge_past_its_date(site: ProvedSite) -> None:
    site.enrol(None, expires_in_s=-3 * 3600)


def consent_past_its_date(site: ProvedSite) -> None:
    site.enrol(7, consent_s=(-DAY_S, -3 * 3600))


def consent_for_two_years(site: ProvedSite) -> None:
    site.enrol(8, consent_s=(0, 730 * DAY_S))


def erasure_that_found_something(site: ProvedSite) -> None:
    site.record(Entry(int(time.time()), "consent", reason="withdrawn", detail="found"))


def deleted_without_overwriting(site: ProvedSite) -> None:
    with site.vault() as db:
        db.execute("PRAGMA secure_delete=OFF")
        db.execute("CREATE TABLE passing (value BLOB)")
        db.execute("INSERT INTO passing VALUES (randomblob(100000))")
        db.execute("DROP TABLE passing")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def long_log(site: ProvedSite) -> None:
    path = site.config.journal.path
    path.with_name(f"{path.name}-wal").write_bytes(bytes(5_000_001))


def changed_row(site: ProvedSite) -> None:
    with site.journal() as db:
        db.execute("UPDATE entry SET reason = 'supervisor' WHERE seq = 3")


def missing_row(site: ProvedSite) -> None:
    with site.journal() as db:
        db.execute("DELETE FROM entry WHERE seq = 4")


def rows_cut_off(site: ProvedSite) -> None:
    with site.journal() as db:
        db.execute("DELETE FROM entry WHERE seq > 5")


def changed_start(site: ProvedSite) -> None:
    purged(site)
    with site.journal() as db:
        db.execute("UPDATE start SET before = before + 1")


def unsigned_start(site: ProvedSite) -> None:
    site.config.gate.device_key.unlink()
    site.config.gate.device_key.with_suffix(".pub").unlink()
    purged(site)


def changed_counts(site: ProvedSite) -> None:
    purged(site)
    with site.journal() as db:
        db.execute("UPDATE hourly SET count = count + 1")


def purged(site: ProvedSite) -> None:
    """As the running gate does it, of all that is older than now."""
    with closing(open_journal(site.config, daemon=True)) as journal:
        assert journal.purge(int(time.time()) - 55)


def row_from_the_future(site: ProvedSite) -> None:
    site.record(Entry(int(time.time()) + DAY_S, "stop"))


def open_vault_file(site: ProvedSite) -> None:
    site.config.vault.path.chmod(0o640)


def open_folder(site: ProvedSite) -> None:
    site.folder.chmod(0o755)


def anybodys_configuration(site: ProvedSite) -> None:
    (site.folder / "config.yaml").chmod(0o666)


def own_pack(site: ProvedSite, **changes: object) -> Path:
    """The embedded pack, as if it had been imported."""
    pack = embedded()
    folder = site.folder / "models" / "own"
    folder.mkdir(parents=True)
    for part in pack.manifest.files:
        shutil.copyfile(pack.folder / part.file, folder / part.file)
    raw = pack.manifest.model_dump(mode="json", exclude_none=True) | {"name": "own"} | changes
    raw["thresholds"] = {float(fmr): value for fmr, value in raw["thresholds"].items()}
    (folder / MANIFEST).write_text(yaml.safe_dump(raw, sort_keys=False))
    site.configure(faces={"pack": "own"})
    return folder


def changed_model(site: ProvedSite) -> None:
    folder = own_pack(site)
    with (folder / embedded().manifest.recogniser.file).open("r+b") as stream:
        stream.seek(1000)
        stream.write(b"!")


def research_only(site: ProvedSite) -> None:
    own_pack(site, licence={"detector": "research only", "recogniser": "research only", "distributable": False})


def threshold_from_nowhere(site: ProvedSite) -> None:
    folder = own_pack(site)
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text("".join(line for line in text.splitlines(True) if "measured_on" not in line))


def altered_calibration(site: ProvedSite) -> None:
    site.calibrate()
    path = site.folder / "models" / "dlib" / "calibration.yaml"
    path.write_text(path.read_text().replace("threshold: 0.61", "threshold: 0.31"))


def coloured_squares(site: ProvedSite) -> None:
    site.configure(faces={"pack": "fake"})


def changed_liveness_model(site: ProvedSite) -> None:
    folder = small_liveness_pack(site.folder / "models" / "small")
    site.configure(faces={"pack": "dlib", "liveness": "enforce", "liveness_pack": "small"})
    assert Result.HOLDS is site.line("faces.liveness").result
    (folder / "live.onnx").write_bytes(b"other")


def cyan_screens(site: ProvedSite) -> None:
    site.configure(faces={"pack": "dlib", "liveness": "advisory", "liveness_pack": "fake"})


SPOILT: tuple[tuple[str, Callable[[ProvedSite], None]], ...] = (
    ("files.inventory", extra_file),
    ("files.copies", copy_of_the_vault),
    ("files.pictures", photograph),
    ("files.pictures_inside", picture_in_the_vault),
    ("files.badges", badge_picture),
    ("files.badges_elsewhere", badge_in_the_home_folder),
    ("files.keys", issuers_key),
    ("shape.vault", column_for_photographs),
    ("shape.templates", embedding_in_the_clear),
    ("shape.journal", table_of_scores),
    ("shape.words", name_in_the_journal),
    ("consent.missing", no_consent),
    ("consent.altered", longer_consent),
    ("badges.allowed", plain_badges_allowed),
    ("badges.plain", plain_badge),
    ("retention.journal", old_rows),
    ("retention.badges", badge_past_its_date),
    ("retention.consents", consent_past_its_date),
    ("retention.year", consent_for_two_years),
    ("erasure.searched", erasure_that_found_something),
    ("erasure.zeroed", deleted_without_overwriting),
    ("erasure.logs", long_log),
    ("journal.chain", changed_row),
    ("journal.chain", missing_row),
    ("journal.chain", rows_cut_off),
    ("journal.start", changed_start),
    ("journal.start", unsigned_start),
    ("journal.hours", changed_counts),
    ("journal.clock", row_from_the_future),
    ("rights.secrets", open_vault_file),
    ("rights.secrets", open_folder),
    ("rights.trusted", anybodys_configuration),
    ("faces.hashes", changed_model),
    ("faces.licence", research_only),
    ("faces.threshold", threshold_from_nowhere),
    ("faces.threshold", altered_calibration),
    ("faces.hashes", coloured_squares),
    ("faces.liveness", changed_liveness_model),
    ("faces.liveness", cyan_screens),
)


@pytest.mark.parametrize(("name", "spoil"), SPOILT, ids=lambda value: getattr(value, "__name__", value))
def test_a_spoilt_site_fails_by_hand_too(spoilt: ProvedSite, name: str, spoil: Callable[[ProvedSite], None]) -> None:
    """It held before; now EdgeGate says that it does not, and the command no longer prints what it must."""
    assert Result.HOLDS is spoilt.line(name).result
    spoil(spoilt)
    line = spoilt.line(name)
    said = [Sentences(language).says(line) for language in ("fr", "en")]
    assert Result.FAILS is line.result, said
    assert not any("imprévue" in sentence or "unforeseen" in sentence for sentence in said), said
    assert line.hand is not None
    if lacking := missing_tools(line.hand.command):
        pytest.skip(f"not on this machine: {', '.join(lacking)}")
    assert line.hand.prints != by_hand(line)


def test_every_claim_is_seen_to_fail() -> None:
    """Here, or with the tests of processes and machines."""
    elsewhere = {claim.name for claim in CLAIMS if claim.name.startswith(("process.", "memory."))}
    elsewhere.add("retention.pseudonyms")
    assert {claim.name for claim in CLAIMS} == {name for name, _ in SPOILT} | INFORM | elsewhere


def test_a_purged_journal_has_a_signed_start(spoilt: ProvedSite) -> None:
    """openssl(1) says so with the device's public key, and sha256sum(1) of the counts that stayed."""
    purged(spoilt)
    for name in ("journal.start", "journal.hours", "journal.chain", "journal.head"):
        line = spoilt.line(name)
        assert Result.HOLDS is line.result, Sentences("en").says(line)
        assert line.hand is not None
        assert line.hand.prints == by_hand(line)
    assert "signed by device" in Sentences("en").says(spoilt.line("journal.start"))


def test_a_threshold_measured_here_is_signed(spoilt: ProvedSite) -> None:
    """openssl(1) says so; the file is declared, and the line names the data."""
    spoilt.calibrate()
    line = spoilt.line("faces.threshold")
    assert Result.HOLDS is line.result
    assert "0.610" in Sentences("en").says(line)
    assert "our pupils" in Sentences("en").says(line)
    assert line.hand is not None
    assert line.hand.prints == by_hand(line)
    assert Result.HOLDS is spoilt.line("files.inventory").result


@pytest.mark.parametrize(("mode", "says"), [("off", "may pass"), ("advisory", "Advisory"), ("enforce", "is an alarm")])
@pytest.mark.parametrize("outside", [False, True])
def test_liveness_is_what_the_configuration_asks_for(
    spoilt: ProvedSite, tmp_path: Path, mode: str, says: str, outside: bool
) -> None:
    """Each mode has its sentence and its command; the pack's files are declared wherever they lie."""
    folder = small_liveness_pack(tmp_path / "small" if outside else spoilt.folder / "models" / "small")
    spoilt.configure(faces={"pack": "dlib", "liveness": mode, "liveness_pack": str(folder) if outside else "small"})
    line = spoilt.line("faces.liveness")
    assert Result.HOLDS is line.result
    assert says in Sentences("en").says(line)
    assert line.hand is not None
    assert line.hand.prints == by_hand(line)
    assert Result.HOLDS is spoilt.line("files.inventory").result


def test_a_liveness_pack_that_is_not_there_fails(spoilt: ProvedSite) -> None:
    """The gate would not start."""
    spoilt.configure(faces={"pack": "dlib", "liveness": "enforce", "liveness_pack": "none"})
    assert Result.FAILS is spoilt.line("faces.liveness").result
    assert "no liveness pack `none`" in Sentences("en").says(spoilt.line("faces.liveness"))


@pytest.mark.parametrize("kind", ["svg", "text", "renamed", "turned"])
def test_a_badge_is_found_whatever_it_looks_like(spoilt: ProvedSite, kind: str) -> None:
    """Drawn with lines, as text in some file, under another name, upside down."""
    text = spoilt.badge_text()
    if kind == "svg":
        (spoilt.folder / "badge.svg").write_bytes(draw(text, ".svg"))
    elif kind == "text":
        (spoilt.folder / ".history").write_text(f"echo '{text}' | lpr\n")
    else:
        picture = cv2.imdecode(np.frombuffer(draw(text, ".png"), np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        turned = cv2.rotate(picture, cv2.ROTATE_180) if kind == "turned" else picture
        data = cv2.imencode(".jpg", turned)[1].tobytes()
        (spoilt.folder / ("badge.dat" if kind == "renamed" else "badge.jpg")).write_bytes(data)
    line = spoilt.line("files.badges")
    assert Result.FAILS is line.result
    assert text[:20] not in Sentences("en").says(line)
    assert line.hand is not None
    if kind != "renamed" and not missing_tools(line.hand.command):
        assert "1" == by_hand(line)


def test_other_pictures_and_texts_are_no_badges(spoilt: ProvedSite) -> None:
    """Another QR code, an empty drawing, half a picture, a short text that begins like a badge."""
    (spoilt.folder / "wifi.png").write_bytes(draw("WIFI:S:school;;", ".png"))
    (spoilt.folder / "empty.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><path d='M0 0h'/></svg>")
    (spoilt.folder / "half.png").write_bytes(draw(spoilt.badge_text(), ".png")[:300])
    (spoilt.folder / "note.txt").write_text("badges begin with EG1:")
    line = spoilt.line("files.badges")
    assert Result.HOLDS is line.result
    assert "undeclared files: 4" in Sentences("en").says(line)


def test_a_link_is_not_followed_out_of_the_folder(spoilt: ProvedSite) -> None:
    """It is undeclared, and what lies behind it is not walked through."""
    (spoilt.folder / "all").symlink_to("/")
    line = spoilt.line("files.inventory")
    assert Result.FAILS is line.result
    assert line.found.values["files"] == str(spoilt.folder / "all")


def test_a_folder_with_far_too_much_in_it_ends(spoilt: ProvedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails instead of walking on."""
    monkeypatch.setattr("edgegate.prove.inventory.MAX_ENTRIES", 3)
    line = spoilt.line("files.inventory")
    assert Result.FAILS is line.result
    assert "more than 3 files" in Sentences("en").says(line)


def test_more_pictures_than_can_be_looked_at_are_not_passed(
    spoilt: ProvedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may think that all were seen."""
    monkeypatch.setattr("edgegate.prove.hunt.MOST", 2)
    for number in range(3):
        (spoilt.folder / f"{number}.txt").touch()
    assert Result.UNCHECKED is spoilt.line("files.badges").result


def test_a_damaged_store_fails_and_says_where(spoilt: ProvedSite) -> None:
    """Whatever SQLite says of it; the other claims are looked at."""
    spoilt.config.vault.path.write_bytes(b"SQLite format 3\0" + bytes(4000))
    line = spoilt.line("consent.missing")
    assert Result.FAILS is line.result
    assert str(spoilt.config.vault.path) in Sentences("en").says(line)
    assert Result.HOLDS is spoilt.line("journal.chain").result


def test_the_site_secret_may_be_out_of_reach(spoilt: ProvedSite) -> None:
    """Then nobody can say whether a row was altered, and the line says that."""
    spoilt.config.vault.site_secret.unlink()
    line = spoilt.line("consent.altered")
    assert Result.UNCHECKED is line.result
    assert "site secret cannot be read" in Sentences("en").says(line)


def test_paths_with_quotes_and_stars_are_written_for_the_shell(tmp_path: Path) -> None:
    """A folder that somebody named so that an unquoted command would do something else."""
    folder = tmp_path / "it's [a] $(gate) *"
    site = ProvedSite(folder, tmp_path / "office")
    site.build()
    for name in ("files.inventory", "files.badges", "shape.vault", "consent.altered", "journal.chain", "faces.hashes"):
        line = site.line(name)
        assert Result.HOLDS is line.result, Sentences("en").says(line)
        assert line.hand is not None
        if not missing_tools(line.hand.command):
            assert line.hand.prints == by_hand(line), name
    extra_file(site)
    line = site.line("files.inventory")
    assert str(folder / "notes.txt") == by_hand(line)


def test_a_newer_vault_is_not_read_as_if_it_were_this_versions(spoilt: ProvedSite) -> None:
    """Another column is told by name, and the rows are not judged by it."""
    column_for_photographs(spoilt)
    assert "+ badge.photo BLOB" in Sentences("en").says(spoilt.line("shape.vault"))


def test_a_reader_keeps_nobody_from_writing(spoilt: ProvedSite) -> None:
    """While a claim is looked at, the gate can enrol and record."""
    with spoilt.scene.reading(spoilt.scene.journal) as db:
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM entry").fetchone()
        spoilt.record(Entry(int(time.time()), "stop"))
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            db.execute("DELETE FROM head")
