"""Templates that are on the badge: enrolled by the command, printed, read by a camera, opened by one gate only."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import zxingcpp
from PIL import Image as Pil

from edgegate import enrolment
from edgegate.adapters import open_book, open_vault
from edgegate.badges import issuer
from edgegate.badges.credential import MAX_CHARS, new_credential
from edgegate.badges.decoders import PyzbarDecoder, ZxingDecoder
from edgegate.badges.draw import MIN_MODULE_MM, QUIET_ZONE, SIZE_MM, draw
from edgegate.camera.stage import code_image
from edgegate.errors import EdgeGateError, TemplateUnreadable
from edgegate.faces.fake_engine import FAKE_PACK, draw_face
from edgegate.model import Consent, Credential, Image, Template, TemplateForm
from edgegate.vault import secret
from tests.commands import Cli, but_journal, good, refusal
from tests.conftest import DAY_S, Site, blank
from tests.contracts.kit import NOW, YEAR_S, keys, said

SIZES = {128: (13, 24, 47), 256: (17, 28, 56), 512: (22, 34, 68)}
"""Numbers of a template: the QR version of its badge, its smallest and its usual width in millimetres; an issuer's
longer name takes a version more."""
SCHOOL = keys()
LAST_DAY = (date.today() + timedelta(50)).isoformat()


@dataclass(frozen=True)
class Printed:
    """A badge that carries a template of so many numbers."""

    dimensions: int
    text: str


@pytest.fixture(params=SIZES)
def printed(request: pytest.FixtureRequest, site: Site) -> Printed:
    with closing(open_vault(site.config, create=True)) as vault:
        badge = replace(new_credential("Collège Jean Moulin", issued=NOW, expires=NOW + YEAR_S), badge_key=None)
        numbers = np.random.default_rng(request.param).normal(size=request.param).astype(np.float32)
        sealed = vault.seal_for_badge(Template(numbers, "some/0123456789ab"), badge.badge_id)
    return Printed(request.param, SCHOOL.sign(replace(badge, sealed_template=sealed)))


def test_each_size_has_its_version(printed: Printed) -> None:
    """The README's table: versions and widths for 128, 256 and 512 numbers."""
    version, smallest, usual = SIZES[printed.dimensions]
    with Pil.open(io.BytesIO(draw(printed.text, ".png"))) as picture:
        (code,) = zxingcpp.read_barcodes(picture)
        assert pytest.approx(usual, rel=0.01) == picture.width / picture.info["dpi"][0] * 25.4
    modules = 17 + 4 * version + 2 * QUIET_ZONE
    assert (printed.text, "M", version) == (code.text, code.ec_level, int(cast(Any, code.extra)["Version"]))
    assert smallest == -(-modules * MIN_MODULE_MM // 1)
    assert len(printed.text) < MAX_CHARS
    assert usual > SIZE_MM  # which is a badge-keyed badge's


def test_a_size_that_could_not_be_read_is_refused_with_one_that_does(printed: Printed) -> None:
    """And with that one, both decoders read the picture."""
    smallest = SIZES[printed.dimensions][1]
    for suffix in (".png", ".svg"):
        with pytest.raises(EdgeGateError) as caught:
            draw(printed.text, suffix, smallest - 1)
        assert f"use {smallest} mm or more" in said(caught.value)
    drawn = cv2.imdecode(np.frombuffer(draw(printed.text, ".png", smallest), np.uint8), cv2.IMREAD_GRAYSCALE)
    for reader in (ZxingDecoder(), PyzbarDecoder()):
        assert [printed.text] == reader.decode(np.asarray(drawn, np.uint8), 0.0)


def test_two_pixels_a_module_are_enough_for_a_camera(printed: Printed) -> None:
    """Held a little askew before a 720p camera that is not quite sharp and has noise."""
    assert printed.text in ZxingDecoder().decode(seen(printed.text, 2.0), 0.0) + PyzbarDecoder().decode(
        seen(printed.text, 2.0), 0.0
    )


def seen(text: str, px: float) -> Image:
    """A badge before a camera, so many pixels a module."""
    code = cv2.cvtColor(code_image(text), cv2.COLOR_BGR2GRAY)
    side, turn, dice = code.shape[0], np.deg2rad(7), np.random.default_rng(1)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    corners = np.array([[-0.5, -0.5], [0.5, -0.52], [0.49, 0.5], [-0.5, 0.48]]) * (px / 8 * side)
    target = (corners @ rotation.T + [640, 360]).astype(np.float32) * 4
    source = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
    warp = cv2.getPerspectiveTransform(source, target)
    large = cv2.warpPerspective(code, warp, (5120, 2880), borderValue=150, flags=cv2.INTER_LINEAR)
    view = cv2.GaussianBlur(cv2.resize(large, (1280, 720), interpolation=cv2.INTER_AREA), (0, 0), 0.7)
    return np.asarray(np.clip(view * 0.75 + 30 + dice.normal(0, 4, view.shape), 0, 255), np.uint8)


def test_a_template_too_long_for_a_badge_is_refused(site: Site) -> None:
    """Not printed as a badge that every gate would call forged."""
    config, template = site.config, Template(np.ones(1100, np.float32), FAKE_PACK.id)
    with closing(open_vault(config, create=True)) as vault:
        with pytest.raises(EdgeGateError, match="too long for a badge; keep it in the vault: --template badge-keyed"):
            enrolment.issue(
                vault,
                issuer.load_private(config.badges.issuers[0], None),
                template=template,
                consent=Consent("both", "1", NOW, NOW + DAY_S, "fr"),
                expires=NOW + DAY_S,
                now=NOW,
                form=TemplateForm.ON_BADGE,
                badge_out=enrolment.BadgeOut.file(site.folder / "b.png"),
            )
        assert [] == vault.entries()
    assert not template.vector.any()
    assert not (site.folder / "b.png").exists()


@pytest.fixture
def enrolled(site: Site, cli: Cli) -> Callable[..., dict[str, str]]:
    """`enroll add` of one of the fake engine's people, as a volunteer with the template on the badge."""

    def enrol(badge: str = "b.png", *options: str) -> dict[str, str]:
        picture = blank()
        draw_face(picture, "ana", 100, 100, 200)
        cv2.imwrite(str(site.folder / "ana.png"), picture)
        consent = ("--consent-by", "both", "--consent-version", "1", "--expires", LAST_DAY)
        add = ("enroll", "add", "--volunteer", "--photo", "ana.png", *consent, "--template", "on-badge", *options)
        told: dict[str, str] = json.loads(good(cli(*add, "--badge-out", badge, "--json", cwd=site.folder)))
        return told

    return enrol


def test_the_device_keeps_no_template(site: Site, cli: Cli, enrolled: Callable[..., dict[str, str]]) -> None:
    """The row says that there is a volunteer; the badge carries the only copy, sealed."""
    told = enrolled()
    assert "on-badge" == told["template"]
    (entry,) = json.loads(good(cli("enroll", "list", "--json")))
    assert ("volunteer", "on-badge", FAKE_PACK.id) == (entry["status"], entry["template"], entry["pack"])
    badge = read(site, "b.png")
    assert badge.badge_key is None
    assert badge.sealed_template is not None
    everything = b"".join(
        path.read_bytes() for path in site.folder.rglob("*") if path.is_file() and path.suffix != ".png"
    )
    pieces = [badge.sealed_template[at : at + 16] for at in range(0, len(badge.sealed_template) - 16, 8)]
    assert not any(piece in everything for piece in pieces)
    with closing(open_vault(site.config)) as vault:
        unsealed = vault.unseal(badge, FAKE_PACK.id)
        assert unsealed.take().vector.any()


def test_the_office_is_told_what_that_means(site: Site, cli: Cli, enrolled: Callable[..., dict[str, str]]) -> None:
    """Whoever has the site secret and a photograph of the badge can open it: said each time."""
    enrolled()
    add = ("enroll", "add", "--volunteer", "--photo", "ana.png", "--consent-by", "both", "--consent-version", "1")
    out = good(cli(*add, "--expires", LAST_DAY, "--template", "on-badge", "--badge-out", "c.png"))
    assert "who has that secret and a photograph of the badge can open it" in out
    assert "destroy the file" in out
    out = good(cli(*add, "--expires", LAST_DAY, "--badge-out", "d.png"))
    assert "photograph of the badge" not in out


def test_another_site_does_not_open_it(site: Site, enrolled: Callable[..., dict[str, str]], tmp_path: Path) -> None:
    """Nor does this site under another badge's id."""
    enrolled("b.png")
    enrolled("c.png")
    first, second = read(site, "b.png"), read(site, "c.png")
    swapped = replace(first, sealed_template=second.sealed_template)
    with closing(open_vault(site.config)) as vault:
        with pytest.raises(TemplateUnreadable):
            vault.unseal(swapped, FAKE_PACK.id)
        with pytest.raises(TemplateUnreadable):
            vault.unseal(first, "another/pack")
    other = Site(tmp_path / "other")
    other.folder.mkdir()
    config = other.configure()
    secret.create(config.vault.site_secret)
    issuer.create(config.badges.issuers[0], "Other", None)
    other.enrol("ana")
    with closing(open_vault(config)) as vault, pytest.raises(TemplateUnreadable):
        vault.unseal(first, FAKE_PACK.id)


def read(site: Site, picture: str) -> Credential:
    badge = open_book(site.config).verify(enrolment.read_badge(site.folder / picture))
    assert isinstance(badge, Credential)
    return badge


def test_a_size_too_small_leaves_nothing(site: Site, cli: Cli, enrolled: Callable[..., dict[str, str]]) -> None:
    """The command refuses it with the size that would do, and neither row nor file is left."""
    enrolled()
    before = but_journal(site.folder)
    consent = ("--consent-by", "both", "--consent-version", "1", "--expires", LAST_DAY, "--template", "on-badge")
    add = (
        "enroll",
        "add",
        "--volunteer",
        "--photo",
        "ana.png",
        *consent,
        "--badge-out",
        "small.png",
        "--size-mm",
        "15",
    )
    line = refusal(cli(*add))
    found = re.search(r"a badge of 15 mm cannot be read \(QR \d+-M\); use (\d+) mm or more, 500 at most", line)
    assert found is not None
    assert before == but_journal(site.folder)
    good(cli(*add[:-1], found[1]))
