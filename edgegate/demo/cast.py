"""Prepares the demo's gate in a temporary folder, with the real enrolment: keys, vault, badges, configuration."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cwt import COSEKey
from cwt.cose_key_interface import COSEKeyInterface

from edgegate import enrolment
from edgegate.adapters import load_faces, open_vault
from edgegate.badges import issuer
from edgegate.badges.credential import encode, new_credential
from edgegate.badges.draw import draw
from edgegate.camera.people import portrait
from edgegate.camera.scene import Scene, compose
from edgegate.config import Config
from edgegate.config_file import load
from edgegate.faces.photos import Photo
from edgegate.images import read_image
from edgegate.model import Consent, Image
from edgegate.vault import secret

DAY_S = 86_400
_CONFIG = """\
gate: {{name: "Demo", language: {language}, hold: {{granted_s: 1.2, refer_s: 2.5, alarm_s: 2.0}}}}
camera: {{source: demo, width: 1280, height: 720, fps: 15, pace: {pace}}}
badges: {{readers: [{{kind: qr, decoder: both}}], issuers: [issuer.pub]}}
faces: {{pack: {pack}}}
signals: {{pins: mock}}
vault: {{path: vault.db, site_secret: site.key}}
journal: {{path: journal.db}}
"""


@dataclass(frozen=True, slots=True)
class Cast:
    """The configuration, and the badges as pictures, by role."""

    config: Config
    badges: dict[str, Image]


def prepare(folder: Path, *, language: str, pace: str, pack: str) -> Cast:
    """Everything a gate needs, made as an office would make it."""
    path = folder / "config.yaml"
    path.write_text(_CONFIG.format(language=language, pace=pace, pack=pack), "utf-8")
    config = load(path)
    issuer.create(config.badges.issuers[0], "Demo school", None)
    secret.create(config.vault.site_secret)
    signer = issuer.load_private(config.badges.issuers[0], None)
    faces = load_faces(config)
    now = int(time.time())
    badges: dict[str, Image] = {}
    vault = open_vault(config, create=True)
    try:
        for role, person, expires in (
            ("astronaut", "astronaut", now + 90 * DAY_S),
            ("group-1", "group-1", now + 90 * DAY_S),
            ("group-5", "group-5", now + 90 * DAY_S),
            ("lost", "group-1", now + 90 * DAY_S),
            ("diary", None, now + 90 * DAY_S),
            ("expired", None, now - DAY_S),
        ):
            template = enrolment.template_from(_photos(person), faces) if person else None
            consent = Consent("both", "demo", now, expires, language) if person else None
            picture = folder / f"{role}.png"
            enrolled = enrolment.issue(
                vault,
                signer,
                template=template,
                consent=consent,
                expires=expires,
                now=now,
                badge_out=enrolment.BadgeOut.file(picture),
            )
            badges[role] = read_image(picture)
            if role == "lost":
                vault.revoke(enrolled.handle)
    finally:
        vault.close()
    stranger = new_credential("Demo school", issued=now, expires=now + DAY_S)
    badges["unknown"] = _picture(signer.sign(stranger))
    badges["forged"] = _picture(encode(stranger, _forger(config.badges.issuers[0])))
    return Cast(config, badges)


def _photos(person: str) -> list[Photo]:
    """Two photographs of a person, as if taken in the office: no badge in them, and another light each."""
    dice = np.random.default_rng(7)
    return [(f"{person} {n}", compose(Scene((portrait(person),)), 1280, 720, dice)) for n in (1, 2)]


def _forger(public: Path) -> COSEKeyInterface:
    """A private key of one's own under the key id of the school's: the signature cannot hold."""
    (kid,) = issuer.load_public([public])
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return COSEKey.from_pem(pem, kid=kid)


def _picture(text: str) -> Image:
    image = cv2.imdecode(np.frombuffer(draw(text, ".png"), np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(image, np.uint8)
