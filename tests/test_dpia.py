"""`edgegate dpia`: facts of this gate in both languages, as Markdown and as a page; and no word settles anything."""

from __future__ import annotations

import re
import string
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgegate.adapters import open_journal
from edgegate.badges.plain import number_id
from edgegate.dpia.document import Bullets, Document, Table, Text, fill
from edgegate.dpia.facts import gather
from edgegate.dpia.write import html, markdown
from edgegate.model import Credential
from edgegate.prove.visit import CLAIMS
from edgegate.words import LANGUAGES
from tests.commands import Cli, good, refusal
from tests.prove.kit import DAY_S, ProvedSite

CLAIMED = (
    r"complian|conforme|conformité|lawful|licite|légalement|satisfies|satisfait|en règle|certifi|approved by|"
    r"GDPR-|RGPD-|guarantees|garantit|is (not )?proportionate\b(?!, )|est proportionné\b(?!, )"
)
"""Words with which a text would answer what it has to leave open."""


@pytest.fixture
def gate(tmp_path: Path) -> ProvedSite:
    site = ProvedSite(tmp_path / "gate", tmp_path / "office")
    site.build()
    return site


def document(site: ProvedSite, language: str = "en") -> Document:
    return fill(language, gather(site.scene, language))


def tables(document: Document) -> dict[str, Table]:
    """By the first word of the head."""
    return {
        block.head[0]: block for section in document.sections for block in section.blocks if isinstance(block, Table)
    }


def text_of(document: Document) -> str:
    return markdown(document)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_says_what_the_courts_found_and_what_software_does_not_settle(gate: ProvedSite, language: str) -> None:
    """Before anything else about the gate."""
    text = text_of(document(gate, language))
    found = [
        text.index(words)
        for words in {
            "en": ("1901249", "Free consent of pupils, and proportionality", "Software does not settle either"),
            "fr": ("1901249", "consentement libre des élèves et la proportionnalité", "Un logiciel ne règle ni l'un"),
        }[language]
    ]
    assert sorted(found) == found
    assert found[-1] < text.index({"en": "## What the gate does", "fr": "## Ce que fait la porte"}[language])


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_claims_that_the_law_is_kept(gate: ProvedSite, language: str) -> None:
    """Neither in the files nor in what comes out of them."""
    source = files("edgegate.dpia").joinpath(f"{language}.yaml").read_text("utf-8")
    for text in (source, text_of(document(gate, language)), html(document(gate, language))):
        assert [] == [match[0] for match in re.finditer(CLAIMED, text, re.IGNORECASE)]


def test_the_guard_against_claims_sees_them() -> None:
    """It is not empty."""
    for claim in ("EdgeGate is GDPR-compliant.", "Le traitement est conforme au RGPD.", "This is lawful.", "licite"):
        assert re.search(CLAIMED, claim, re.IGNORECASE)


def test_counts_are_those_of_vault_and_journal(gate: ProvedSite) -> None:
    """Three were volunteers, one withdrew, one never was."""
    found = tables(document(gate))
    assert (("diary badges", "2"), ("volunteers", "2")) == found["Badges"].rows
    assert (("both", "2026-1", "fr", "2"),) == found["Consent by"].rows
    assert (("in the vault, under the key of the badge", "2"),) == found["Template"].rows
    assert ["5", "1"] == [row[2] for row in found["Decision"].rows]
    text = text_of(document(gate))
    assert "Of 6 presentations in the journal, 1 were amber; of these, 1 with a diary badge." in text
    assert "Rows in the journal: 9" in text
    with closing(open_journal(gate.config)) as journal:
        assert str(journal.head()) in text


def test_settings_are_those_of_the_configuration(gate: ProvedSite) -> None:
    """Retention, camera, readers, relay, and the file they were read from."""
    gate.configure(
        journal={"retention_days": 7}, signals={"relay": 5, "relay_s": 2.5}, camera={"source": "rtsp://u:p@10.0.0.9/x"}
    )
    text = text_of(document(gate))
    for words in ("7 days (90 at most)", "opened for 2.5 s with green", "rtsp://10.0.0.9/…", "Why 7 days of journal?"):
        assert words in text
    assert "private addresses of the school's, for the camera" in text
    assert "The network camera is listened to" in text
    assert "u:p" not in text


def test_what_is_not_so_here_is_not_said(gate: ProvedSite) -> None:
    """Plain badges, templates on badges and a network camera, where there are none."""
    text = text_of(document(gate))
    for words in ("plain badges, sealed", "on the badge, sealed", "network camera is listened", "coloured squares"):
        assert words not in text
    assert "this is the embedded pack" in text.lower()


def test_plain_badges_are_told(gate: ProvedSite) -> None:
    """Where they are allowed, and where one is left from a time when they were."""
    gate.configure(badges={"allow_plain": True, "formats": ["code128"]})
    assert "of plain badges, sealed under this site's secret alone" in text_of(document(gate))
    gate.configure()
    now = int(time.time())
    gate.keep(Credential("", number_id("12345678"), now, now + DAY_S, plain=True), None, None)
    assert "of plain badges" not in text_of(document(gate))


def test_error_rates_are_those_that_were_measured(gate: ProvedSite) -> None:
    """The manifest has thresholds only; what nobody measured is said to be so."""
    found = tables(document(gate))
    assert [("0.001", "-", "not measured"), ("0.0001", "-", "not measured"), ("1e-05", "-", "not measured")] == [
        row[1:] for row in found["Measured"].rows
    ]
    assert {"not measured"} == {
        value for name, value in found["On whom or what"].rows if name != "Pictures of other people"
    }


def test_a_calibration_of_ones_own_is_told_with_its_intervals(gate: ProvedSite) -> None:
    """Signed by this device, per pair and per presentation."""
    gate.calibrate()
    found = tables(document(gate))
    assert 2 == len(found["Measured"].rows)
    assert "0.01 (0.002 - 0.029), 3/300" == found["Measured"].rows[0][3]
    text = text_of(document(gate))
    assert "Threshold 0.610" in text
    assert "our pupils" in text
    assert "embedded pack, for a first look" not in text


@pytest.mark.parametrize("pack", ["fake", "none"])
def test_without_a_real_pack_it_says_so(gate: ProvedSite, pack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Coloured squares, and nothing at all."""
    if pack == "fake":
        gate.configure(faces={"pack": "fake"})
        assert "coloured squares" in text_of(document(gate))
    else:
        gate.configure(faces={"pack": "auto"})
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        assert "No pack is installed" in text_of(document(gate))


def test_a_gate_without_stores_has_an_annex_too(gate: ProvedSite) -> None:
    """Before the first badge: nothing is counted, and everything else is said."""
    for path in gate.folder.glob("*.db*"):
        path.unlink()
    found = tables(document(gate))
    assert (("none yet", "-"),) == found["Badges"].rows
    assert "Rows in the journal: 0, the oldest of -." in text_of(document(gate))


@pytest.mark.parametrize(
    ("mode", "said", "not_said"),
    [
        (
            "off",
            ["off; a good picture", "| not measured |"],
            ["judged whether a live", "faces.liveness", "taken for a picture"],
        ),
        (
            "advisory",
            ["advisory, models small", "judged whether a live", "amber: a person looks"],
            ["red and a buzzer: a"],
        ),
        ("enforce", ["enforced, models small", "faces.liveness", "red and a buzzer: a"], ["amber: a person looks, as"]),
    ],
)
def test_liveness_is_told_as_it_is_configured(
    gate: ProvedSite, mode: str, said: list[str], not_said: list[str]
) -> None:
    """What it does, what it keeps for how long, what it risks; and that nobody knows here how well it works."""
    gate.configure(faces={"pack": "dlib", "liveness": mode, "liveness_pack": "small"})
    text = text_of(document(gate))
    assert [] == [words for words in said if words not in text]
    assert [] == [words for words in not_said if words in text]
    rows = tables(document(gate))["On whom or what"].rows
    (attacks,) = [row[1] for row in rows if row[0] == "Attacks with a photograph, a screen or a mask"]
    assert ("not measured" if mode == "off" else "not known to this device") in attacks


@pytest.mark.parametrize("language", LANGUAGES)
def test_markdown_and_page_say_the_same(gate: ProvedSite, language: str) -> None:
    """Every heading and every cell is in both; tables keep their shape."""
    made = document(gate, language)
    page, text = html(made), markdown(made)
    assert f'lang="{language}"' in page
    assert not re.search(r"<script|<img|<link|https?://|url\(", page)
    for section in made.sections:
        assert f"## {section.heading}\n" in text
        assert section.heading.replace("'", "&#x27;") in page
        for block in section.blocks:
            if isinstance(block, Table):
                assert {len(block.head)} == {len(row) for row in block.rows}
                assert all("\n" not in cell for row in block.rows for cell in row)
            elif isinstance(block, Bullets):
                assert all(f"- {item}\n" in text for item in block.items)
            else:
                assert isinstance(block, Text)
                assert block.text in text


def test_measures_name_claims_that_exist(gate: ProvedSite) -> None:
    """What the annex says that `prove` checks, it does check."""
    names = {claim.name for claim in CLAIMS}
    cells = [row[1] for row in tables(document(gate))["Measure"].rows]
    named = {word for cell in cells for word in cell.split(", ") if re.fullmatch(r"[a-z]+\.[a-z_]+", word)}
    assert len(named) > 15
    assert set() == named - names


def test_both_languages_are_built_alike() -> None:
    """Same words, sections, kinds of blocks, conditions, columns and places for values."""
    first, second = (raw(language) for language in ("fr", "en"))
    assert first["words"].keys() == second["words"].keys()
    assert list(skeleton(first["sections"])) == list(skeleton(second["sections"]))
    for name in first["words"]:
        assert places(first["words"][name]) == places(second["words"][name]), name


def test_the_command_writes_both_forms(gate: ProvedSite, cli: Cli, tmp_path: Path) -> None:
    """Markdown to standard output, files of either kind, in the gate's language unless told otherwise."""
    config = gate.folder / "config.yaml"
    assert good(cli("dpia", "-c", config)).startswith("# Factual annex")
    assert good(cli("dpia", "-c", config, "--language", "fr")).startswith("# Annexe factuelle")
    good(cli("dpia", "-c", config, "--out", tmp_path / "annex.md"))
    good(cli("dpia", "-c", config, "--html", tmp_path / "annex.html"))
    assert (tmp_path / "annex.md").read_text("utf-8").startswith("# Factual annex")
    assert (tmp_path / "annex.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert "cannot be written" in refusal(cli("dpia", "-c", config, "--out", tmp_path / "annex.md"))
    with closing(open_journal(gate.config)) as journal:
        last = next(journal.rows(1))
    assert ("session", "dpia") == (last.kind, last.reason)


def test_values_from_files_are_no_markup(gate: ProvedSite) -> None:
    """A gate may be called anything."""
    gate.configure(gate={"name": "<b>A|B</b>"})
    assert "<b>A" not in html(document(gate))
    text = text_of(document(gate))
    assert "<b>A" not in text
    assert "| Camera | demo |" in text


def raw(language: str) -> dict[str, Any]:
    """A language's file as it is."""
    loaded: dict[str, Any] = yaml.safe_load(files("edgegate.dpia").joinpath(f"{language}.yaml").read_text("utf-8"))
    return loaded


def skeleton(part: Any) -> Iterator[Any]:
    """All but the words: keys, conditions, lengths and places for values."""
    if isinstance(part, dict):
        for key, value in part.items():
            yield key
            if key in ("when", "rows") and isinstance(value, str):
                yield value
            else:
                yield from skeleton(value)
    elif isinstance(part, list):
        yield len(part)
        for value in part:
            yield from skeleton(value)
    else:
        yield sorted(places(str(part)))


def places(text: str) -> set[str]:
    """The names of values in a sentence."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}
