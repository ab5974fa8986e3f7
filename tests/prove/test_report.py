"""`edgegate prove` as an inspector uses it: text, JSON, the signed page, exit codes, the words of both languages."""

from __future__ import annotations

import json
import re
import string
import subprocess
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgegate.adapters import open_journal
from edgegate.device_key import load, load_public
from edgegate.prove import hunt, present
from edgegate.prove.report import Result
from edgegate.prove.visit import CLAIMS, PROMISES, examine
from edgegate.prove.words import Sentences
from edgegate.words import LANGUAGES
from tests.commands import Cli, good, refusal
from tests.prove.kit import ProvedSite

ELEMENTS_FROM_ELSEWHERE = {"script", "img", "link", "iframe", "object", "embed", "source", "video", "base", "form"}


@pytest.fixture(autouse=True)
def nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs these tests may keep pictures at home."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(hunt, "TEMPORARY", ())


def test_a_good_gate_exits_with_0_and_the_look_is_recorded(spoilt: ProvedSite, cli: Cli) -> None:
    """Every claim is there with its command; the journal says who looked before anything was shown."""
    out = good(cli("prove", "-c", spoilt.folder / "config.yaml"))
    words = Sentences("en")
    for line in examine(spoilt.scene).lines:
        assert words.claim(line).split()[0] in out
        assert line.hand is None or line.name in ("journal.looks", "journal.head") or line.hand.command in out
    assert "0 fail" in out.splitlines()[-1]
    with closing(open_journal(spoilt.config)) as journal:
        last = next(journal.rows(1))
    assert ("session", "prove") == (last.kind, last.reason)


def test_one_that_fails_exits_with_1_in_every_form(spoilt: ProvedSite, cli: Cli, tmp_path: Path) -> None:
    """Text, JSON, page."""
    (spoilt.folder / "left.txt").touch()
    config, page = spoilt.folder / "config.yaml", tmp_path / "report.html"
    for form in ((), ("--json",), ("--html", str(page))):
        code, out, _ = cli("prove", "-c", config, *form)
        assert code == 1
        assert out
    assert "left.txt" in page.read_text("utf-8")


def test_json_says_the_same(spoilt: ProvedSite, cli: Cli) -> None:
    """A program reads each line's name, result, sentences, command and what it must print."""
    said = json.loads(good(cli("prove", "--json", "--language", "fr", "-c", spoilt.folder / "config.yaml")))
    assert ("Test gate", "fr") == (said["gate"], said["language"])
    assert [claim.name for claim in CLAIMS] + [f"promise.{name}" for name in PROMISES] == [
        line["name"] for line in said["lines"]
    ]
    by_name = {line["name"]: line for line in said["lines"]}
    assert "déclarés" in by_name["files.inventory"]["says"]
    assert by_name["files.inventory"]["command"].startswith("find ")
    assert "" == by_name["files.inventory"]["prints"]
    assert None is by_name["promise.flash"]["command"]
    assert len(said["lines"]) == sum(said["counts"].values())


def test_the_language_is_the_gates_unless_asked_otherwise(spoilt: ProvedSite, cli: Cli) -> None:
    """French by default, for gates that are."""
    spoilt.configure(gate={"language": "fr"})
    path = spoilt.folder / "config.yaml"
    assert "Ce qui se vérifie" in good(cli("prove", "-c", path))
    assert "What can be checked" in good(cli("prove", "-c", path, "--language", "en"))


def page_of(site: ProvedSite, language: str = "en") -> str:
    return present.as_page(examine(site.scene), Sentences(language), load(site.config.gate.device_key))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_stands_alone(good_site: ProvedSite, language: str) -> None:
    """No script, nothing from elsewhere, every element closed, every link leads somewhere in it."""
    text = page_of(good_site, language)
    seen = Elements()
    seen.feed(text)
    seen.close()
    assert set() == ELEMENTS_FROM_ELSEWHERE & seen.names
    assert [] == seen.open
    assert set() == seen.links - {f"#{name}" for name in seen.ids}
    assert not re.search(r"https?://|url\(|@import|\bon\w+=", text)
    assert f'lang="{language}"' in text
    for claim in CLAIMS:
        assert f'id="{claim.name}"' in text


def test_the_page_is_signed_for_openssl(good_site: ProvedSite, tmp_path: Path) -> None:
    """The commands at its end, run on it as it is, say that the device signed all of it above them."""
    text = page_of(good_site)
    (tmp_path / "report.html").write_text(text, "utf-8")
    (tmp_path / "device.pub").write_text(load_public(good_site.config.gate.device_key).pem)
    assert signature(text)[1] == checked(tmp_path, text)


def test_a_changed_page_is_not_what_was_signed(spoilt: ProvedSite, tmp_path: Path) -> None:
    """A line that failed and was made to hold; another number of failures in what is signed; another device's key."""
    (spoilt.folder / "left.txt").touch()
    text = page_of(spoilt)
    public = load_public(spoilt.config.gate.device_key).pem
    changed = text.replace("left.txt", "fine.txt")
    assert changed != text
    (tmp_path / "device.pub").write_text(public)
    (tmp_path / "report.html").write_text(changed, "utf-8")
    assert signature(text)[1] != checked(tmp_path, changed)
    other = text.replace("fails: 1", "fails: 0")
    assert other != text
    (tmp_path / "report.html").write_text(other, "utf-8")
    assert "Verified Successfully" not in checked(tmp_path, other)


def test_a_page_without_a_key_says_that_it_is_unsigned(spoilt: ProvedSite, cli: Cli, tmp_path: Path) -> None:
    """It is written all the same, and says why."""
    spoilt.config.gate.device_key.unlink()
    page = tmp_path / "report.html"
    cli("prove", "-c", spoilt.folder / "config.yaml", "--html", page)
    text = unescape(page.read_text("utf-8"))
    assert "This report is not signed: " in text
    assert "device.key: does not exist" in text


def test_a_page_is_never_written_over_something(spoilt: ProvedSite, cli: Cli, tmp_path: Path) -> None:
    """One line, and the file stays."""
    page = tmp_path / "report.html"
    page.write_text("mine")
    assert "cannot be written" in refusal(cli("prove", "-c", spoilt.folder / "config.yaml", "--html", page))
    assert "mine" == page.read_text()
    assert "<!DOCTYPE html>" in cli("prove", "-c", spoilt.folder / "config.yaml", "--html", "-")[1]


def test_names_of_files_are_no_html(spoilt: ProvedSite) -> None:
    """Somebody may have named a file so that a page would run it."""
    (spoilt.folder / "<script>alert(1)<%2fscript>").touch()
    text = page_of(spoilt)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_no_secret_is_in_any_form(spoilt: ProvedSite, cli: Cli) -> None:
    """No handle, no key, no badge text, no pseudonym."""
    text = spoilt.badge_text()
    (spoilt.folder / "badge.txt").write_text(text)
    out = cli("prove", "--json", "-c", spoilt.folder / "config.yaml")[1]
    with spoilt.vault() as db:
        handles = [handle.hex() for (handle,) in db.execute("SELECT handle FROM badge")]
    with closing(open_journal(spoilt.config)) as journal:
        pseudonyms = {row.pseudonym for row in journal.rows()} - {""}
    secret = spoilt.config.vault.site_secret.read_text().strip()
    for value in (*handles, *pseudonyms, secret, text, text[10:40]):
        assert value not in out.lower()
        assert value not in out


def test_it_works_on_a_broken_journal(spoilt: ProvedSite, cli: Cli) -> None:
    """The look cannot be recorded; that is said, and the claims are looked at."""
    spoilt.config.journal.path.write_bytes(b"not a database")
    code, out, err = cli("prove", "-c", spoilt.folder / "config.yaml")
    assert code == 1
    assert "Every row of the vault was written" in out
    assert "Traceback" not in err


@pytest.mark.parametrize("chapter", ["page", "result", "groups", "shared", "promises", "claims"])
def test_words_are_complete_and_alike(chapter: str) -> None:
    """Both languages have the same sentences with the same places for values, and none in the other's words."""
    first, second = (dict(sentences(raw(language)[chapter])) for language in ("fr", "en"))
    assert first.keys() == second.keys()
    assert {key: places(text) for key, text in first.items()} == {key: places(text) for key, text in second.items()}
    same = {
        key for key in first if first[key] == second[key] and re.search("[a-z]{3}", re.sub("{.*?}", "", first[key]))
    }
    assert same <= {"subtitle", "signature"}


def test_there_is_a_sentence_for_everything_that_is_found() -> None:
    """Claims, groups, results and promises; and each claim has sentences for what its look may find."""
    said = raw("en")
    assert {claim.name for claim in CLAIMS} == set(said["claims"])
    assert {result.value for result in Result} == set(said["result"])
    assert {claim.name.partition(".")[0] for claim in CLAIMS} | {"promise"} == set(said["groups"])
    assert set(PROMISES) == set(said["promises"])
    for name, sentences_of in said["claims"].items():
        assert {"claim", "how"} < set(sentences_of), name


def test_no_sentence_says_that_the_law_is_kept() -> None:
    """That is for others to say."""
    for language in LANGUAGES:
        text = files("edgegate.prove").joinpath(f"{language}.yaml").read_text("utf-8").lower()
        assert not re.search(r"complian|conform|lawful|\blegal\b|\blicite|légal", text)


class Elements(HTMLParser):
    """What a page is made of."""

    EMPTY = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.names, self.ids, self.links = set[str](), set[str](), set[str]()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        values = dict(attrs)
        self.ids |= {values["id"] or ""} if "id" in values else set()
        self.links |= {values["href"] or ""} if "href" in values else set()
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()


def signature(text: str) -> tuple[str, str]:
    """The commands at the end of a page, and what they must print."""
    below = text.split(f"\n{present.MARK}\n")[1]
    command, prints = (unescape(part) for part in re.findall(r"<pre>(.*?)</pre>", below, re.DOTALL))
    return command, prints


def checked(folder: Path, text: str) -> str:
    """What they print, in a folder with the page and the public key."""
    command = ["sh", "-c", signature(text)[0]]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout.rstrip("\n")


def raw(language: str) -> dict[str, Any]:
    """A language's file as it is."""
    loaded: dict[str, Any] = yaml.safe_load(files("edgegate.prove").joinpath(f"{language}.yaml").read_text("utf-8"))
    return loaded


def sentences(part: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in part.items():
        if isinstance(value, dict):
            yield from sentences(value, f"{above}{key}/")
        else:
            assert isinstance(value, str) and value.strip() == value != "", key
            yield f"{above}{key}", value


def places(text: str) -> set[str]:
    """The names of values in a sentence."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}
