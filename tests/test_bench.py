"""The bench measures what it says; its figures are for people, never for assertions."""

from __future__ import annotations

import json

from tests.commands import Cli


def test_bench_reports_every_work(cli: Cli) -> None:
    """One figure for each work, with as many trials as asked for, and all decisions made."""
    code, out, err = cli("bench", "--rounds", "3", "--badges", "10", "--json")

    assert 0 == code, err
    report = json.loads(out)
    trials = {figure["work"]: figure["trials"] for figure in report["figures"]}
    assert 3 == trials["badge to decision, first probe"]
    assert 3 == trials["detector + recogniser alone"]
    assert 15 == trials["vault: look up and unseal among 10"]
    assert 6 == len(trials)
    assert report["decision_ratio"] > 0


def test_bench_refuses_nonsense(cli: Cli) -> None:
    """No rounds, no figures: one line."""
    assert (2, "", "edgegate: --rounds: 0 is out of range; give 1 to 10000\n") == cli("bench", "--rounds", "0")
