"""On a gate as it should be, each claim holds, and the command beside it says so too."""

from __future__ import annotations

import re

import pytest

from edgegate.prove.report import Result
from edgegate.prove.visit import CLAIMS, PROMISES, examine
from edgegate.prove.words import Sentences
from edgegate.words import LANGUAGES
from tests.prove.kit import ProvedSite, by_hand, missing_tools

NOT_HERE = {claim.name for claim in CLAIMS if claim.name.startswith(("process.", "memory."))}
"""Of the machine and of a running gate, which other tests lay out and start."""


@pytest.mark.parametrize("name", [claim.name for claim in CLAIMS if claim.name not in NOT_HERE])
def test_a_good_site_is_good_by_hand_too(good_site: ProvedSite, name: str) -> None:
    """EdgeGate finds that the claim holds; a program that is not EdgeGate's prints what it must."""
    line = good_site.line(name)
    assert Result.HOLDS is line.result, Sentences("en").says(line)
    assert line.hand is not None
    assert not re.search(r"(^|[;|&(`]) *edgegate |import edgegate|-m edgegate", line.hand.command)
    if lacking := missing_tools(line.hand.command):
        pytest.skip(f"not on this machine: {', '.join(lacking)}")
    assert line.hand.prints == by_hand(line)


def test_looking_leaves_nothing_but_sqlites_own_files(good_site: ProvedSite) -> None:
    """No store changes, no lock is taken, nothing new lies there but what readers of a WAL share."""
    before = {
        path: path.read_bytes() for path in good_site.folder.iterdir() if not path.name.endswith(("-shm", "-wal"))
    }
    examine(good_site.scene)
    after = {path: path.read_bytes() for path in good_site.folder.iterdir() if not path.name.endswith(("-shm", "-wal"))}
    assert before == after


def test_without_a_gate_nothing_is_passed_that_was_not_looked_at(good_site: ProvedSite) -> None:
    """No process runs here: its claims are neither passed nor failed, and say why."""
    report = examine(good_site.scene)
    found = {line.name: line for line in report.lines}
    names = [claim.name for claim in CLAIMS if claim.name.startswith("process.")]
    assert {Result.UNCHECKED} == {found[name].result for name in names}
    assert all(found[name].hand is not None for name in names)
    assert {f"promise.{name}" for name in PROMISES} == {line.name for line in report.of(Result.PROMISE)}
    assert [] == report.of(Result.FAILS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_line_can_be_said(good_site: ProvedSite, language: str) -> None:
    """No sentence lacks a value."""
    words = Sentences(language)
    for line in examine(good_site.scene).lines:
        assert words.claim(line)
        assert line.result is Result.PROMISE or (words.how(line) and words.says(line))


def test_before_anything_is_enrolled_the_stores_are_not_judged(good_site: ProvedSite, spoilt: ProvedSite) -> None:
    """A new gate has neither vault nor journal: those lines say that they do not exist yet."""
    for name in ("vault.db", "journal.db"):
        for suffix in ("", "-wal", "-shm"):
            (spoilt.folder / f"{name}{suffix}").unlink(missing_ok=True)
    assert Result.UNCHECKED is spoilt.line("consent.altered").result
    assert "vault.db does not exist yet" in Sentences("en").says(spoilt.line("shape.vault"))
    assert Result.UNCHECKED is spoilt.line("journal.chain").result
    assert [] == examine(spoilt.scene).of(Result.FAILS)
