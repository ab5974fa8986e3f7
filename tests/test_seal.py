"""Sealing: a template opens with its own badge, on its own site, for its own pack, unaltered; nothing shows secrets."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import cbor2
import numpy as np
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from edgegate.badges import issuer
from edgegate.errors import EdgeGateError, TemplateUnreadable
from edgegate.faces.comparison import score
from edgegate.model import Code, Template, Vector
from edgegate.vault import seal as seal_module
from edgegate.vault import secret
from edgegate.vault.seal import (
    card_hash,
    handle,
    seal,
    seal_on_badge,
    seal_plain,
    unseal,
    unseal_on_badge,
    unseal_plain,
)
from edgegate.vault.secret import SiteSecret
from tests.contracts.kit import NOW, PACK, SECRET, credential, keys, said, template

KEY, BADGE_ID = bytes(range(32)), bytes(range(16))
SEALED = seal(template(), KEY, BADGE_ID, SECRET)
PLAIN = seal_plain(template(), BADGE_ID, SECRET)
ON_BADGE = seal_on_badge(template(), BADGE_ID, SECRET)
SEALED_IN_2026 = bytes.fromhex(
    "e5bce389772e67c7172fe1c616d3a0e4d320fc9043c065161e495cf29b9626ddffc0806a90e4ce361ffd0ff2"
)
"""(0.5, -0.5, 0.5, -0.5) for badge 7 of these tests, as the first version sealed it."""


def flipped(data: bytes) -> list[bytes]:
    """The same bytes with one bit changed, for each bit."""
    return [data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :] for at in range(len(data)) for bit in range(8)]


def refused(
    sealed: bytes = SEALED,
    key: bytes = KEY,
    badge_id: bytes = BADGE_ID,
    pack_id: str = PACK,
    site: SiteSecret = SECRET,
) -> bool:
    """Does it stay closed, with one line that says so?"""
    try:
        unseal(sealed, key, badge_id, pack_id, site)
    except TemplateUnreadable as error:
        return bool(said(error))
    return False


def plain_refused(
    sealed: bytes = PLAIN, badge_id: bytes = BADGE_ID, pack_id: str = PACK, site: SiteSecret = SECRET
) -> bool:
    """The same for a plain badge's template."""
    try:
        unseal_plain(sealed, badge_id, pack_id, site)
    except TemplateUnreadable as error:
        return bool(said(error))
    return False


def test_what_the_first_version_sealed_still_opens() -> None:
    """A new version must not lock a school out of its own templates."""
    badge = credential(7)
    assert badge.badge_key is not None
    opened = unseal(SEALED_IN_2026, badge.badge_key, badge.badge_id, PACK, SECRET)
    assert [0.5, -0.5, 0.5, -0.5] == opened.vector.tolist()


def test_it_opens_as_it_was_sealed() -> None:
    """With the right badge, pack and site: the same numbers, writable so that they can be wiped."""
    assert not refused()
    opened = unseal(SEALED, KEY, BADGE_ID, PACK, SECRET)
    assert np.array_equal(template().vector, opened.vector)
    assert np.float32 == opened.vector.dtype
    assert PACK == opened.pack_id
    opened.wipe()
    assert not opened.vector.any()


@settings(deadline=None, max_examples=60)
@given(
    npst.arrays(np.float32, st.integers(1, 512), elements=st.floats(-10, 10, width=32)),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=16, max_size=16),
    st.text(max_size=40),
)
def test_any_template_under_any_key_comes_back(vector: Vector, key: bytes, badge_id: bytes, pack_id: str) -> None:
    """For whatever engine and badge: sealing loses nothing."""
    sealed = seal(Template(vector, pack_id), key, badge_id, SECRET)
    assert np.array_equal(vector, unseal(sealed, key, badge_id, pack_id, SECRET).vector)


def test_a_key_wrong_by_one_bit_opens_nothing() -> None:
    """Each bit of the badge key counts."""
    assert all(refused(key=key) for key in flipped(KEY))


def test_a_site_secret_wrong_by_one_bit_opens_nothing() -> None:
    """Each bit of the site secret counts: a badge found elsewhere opens nothing stolen here."""
    assert all(refused(site=SiteSecret(value)) for value in flipped(SECRET.value))


def test_another_badge_opens_nothing() -> None:
    """The same key under another number: a template cannot be moved to another row."""
    assert all(refused(badge_id=badge_id) for badge_id in flipped(BADGE_ID))


@pytest.mark.parametrize("pack_id", ["", PACK + " ", PACK[:-1], PACK.upper(), "dlib/0123456789ab"])
def test_another_pack_opens_nothing(pack_id: str) -> None:
    """Numbers of one recogniser mean nothing to another."""
    assert refused(pack_id=pack_id)


def test_any_altered_bit_is_found() -> None:
    """In nonce, ciphertext or tag."""
    assert all(refused(sealed) for sealed in flipped(SEALED))


def test_a_cut_or_longer_text_is_refused() -> None:
    """Every shorter length, and one byte more."""
    assert all(refused(SEALED[:length]) for length in range(len(SEALED)))
    assert refused(SEALED + b"\0")


@pytest.mark.parametrize("body", [b"", b"\0\0\0", np.array([np.nan, 1], "<f4").tobytes(), np.array([np.inf]).tobytes()])
def test_numbers_that_cannot_be_compared_are_refused(body: bytes) -> None:
    """Properly sealed, but no template: nothing, part of a number, or numbers that are none."""
    key = HKDF(algorithm=hashes.SHA256(), length=32, salt=SECRET.value, info=b"edgegate/template/1").derive(KEY)
    nonce = bytes(12)
    assert refused(nonce + AESGCM(key).encrypt(nonce, body, cbor2.dumps([1, BADGE_ID, PACK])))


def test_the_form_is_the_one_that_is_documented() -> None:
    """AES-256-GCM, key from HKDF-SHA256, nonce in front, badge and pack bound in: another program can open it."""
    key = HKDF(algorithm=hashes.SHA256(), length=32, salt=SECRET.value, info=b"edgegate/template/1").derive(KEY)
    plain = AESGCM(key).decrypt(SEALED[:12], SEALED[12:], cbor2.dumps([1, BADGE_ID, PACK]))
    assert template().vector.astype("<f4").tobytes() == plain


def test_a_plain_template_opens_with_the_site_secret_alone() -> None:
    """No key is needed but the device's own: that is what makes plain badges weaker."""
    opened = unseal_plain(PLAIN, BADGE_ID, PACK, SiteSecret(SECRET.value))
    assert np.array_equal(template().vector, opened.vector)
    assert PACK == opened.pack_id
    opened.wipe()
    assert not opened.vector.any()


def test_a_plain_template_opens_nowhere_else() -> None:
    """Not with another site's secret, for another number or pack, nor altered, cut or longer."""
    assert all(plain_refused(site=SiteSecret(value)) for value in flipped(SECRET.value))
    assert all(plain_refused(badge_id=badge_id) for badge_id in flipped(BADGE_ID))
    assert all(plain_refused(pack_id=pack_id) for pack_id in ("", PACK + " ", PACK.upper(), "dlib/0123456789ab"))
    assert all(plain_refused(sealed) for sealed in flipped(PLAIN))
    assert all(plain_refused(PLAIN[:length]) for length in range(len(PLAIN)))
    assert plain_refused(PLAIN + b"\0")


def test_a_plain_and_a_keyed_template_do_not_open_as_each_other() -> None:
    """Whatever stands in for the key: the site secret, the badge's id, or nothing."""
    assert plain_refused(SEALED)
    assert all(refused(PLAIN, key) for key in (KEY, b"", bytes(32), BADGE_ID, SECRET.value))


def test_the_form_of_a_plain_template_is_the_one_that_is_documented() -> None:
    """The key is HKDF-SHA256 of the site secret, without salt, for this badge; the rest is as for the others."""
    info = b"edgegate/plain/1" + BADGE_ID
    key = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(SECRET.value)
    numbers = AESGCM(key).decrypt(PLAIN[:12], PLAIN[12:], cbor2.dumps([1, BADGE_ID, PACK]))
    assert template().vector.astype("<f4").tobytes() == numbers


def on_badge_refused(
    sealed: bytes = ON_BADGE, badge_id: bytes = BADGE_ID, pack_id: str = PACK, site: SiteSecret = SECRET
) -> bool:
    """The same for the template that a badge carries."""
    try:
        unseal_on_badge(sealed, badge_id, pack_id, site)
    except TemplateUnreadable as error:
        return bool(said(error))
    return False


def on_badge_key() -> AESGCM:
    info = b"edgegate/on-badge/1"
    return AESGCM(HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(SECRET.value))


@pytest.mark.parametrize("dimensions", [128, 256, 512])
def test_an_on_badge_template_is_small(dimensions: int) -> None:
    """One byte a number: 32 more for nonce, tag and scale, and it comes back nearly as it was, to be wiped."""
    whole = template(dimensions, dimensions)
    sealed = seal_on_badge(whole, BADGE_ID, SECRET)
    assert dimensions + 32 == len(sealed)
    opened = unseal_on_badge(sealed, BADGE_ID, PACK, SECRET)
    assert (dimensions, PACK) == (opened.vector.size, opened.pack_id)
    assert np.float32 == opened.vector.dtype
    half_a_step = float(np.abs(whole.vector).max()) / 127 / 2
    assert float(np.abs(opened.vector - whole.vector).max()) <= half_a_step * 1.001
    opened.wipe()
    assert not opened.vector.any()


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32 - 1), st.sampled_from([128, 256, 512]), st.sampled_from(["cosine", "distance"]))
def test_rounding_hardly_moves_the_score(seed: int, dimensions: int, metric: str) -> None:
    """For faces of any likeness: less than 0.01 of a score that goes from -1 to 1, whatever the engine's size."""
    dice = np.random.default_rng(seed)
    a, b = (np.asarray(dice.normal(size=dimensions), np.float32) for _ in range(2))
    likeness = np.float32(dice.random())
    probe = likeness * a + (1 - likeness) * b
    a, probe = a / np.linalg.norm(a), probe / np.linalg.norm(probe)
    sealed = seal_on_badge(Template(a.copy(), PACK), BADGE_ID, SECRET)
    rounded = unseal_on_badge(sealed, BADGE_ID, PACK, SECRET).vector
    assert abs(score(probe, a, metric) - score(probe, rounded, metric)) < 0.01


def test_the_largest_numbers_are_kept() -> None:
    """Either end of the range and zero come back as they were, in order and with their signs."""
    numbers = np.array([1.0, -1.0, 0.0, 0.5, -0.25], np.float32)
    opened = unseal_on_badge(seal_on_badge(Template(numbers, PACK), BADGE_ID, SECRET), BADGE_ID, PACK, SECRET)
    assert np.allclose([1.0, -1.0, 0.0, 64 / 127, -32 / 127], opened.vector, atol=1e-6)
    assert [1.0, -1.0, 0.0, 0.5, -0.25] == numbers.tolist()  # what was sealed is not touched


def test_sealing_again_loses_nothing_more() -> None:
    """A badge that is renewed year after year carries the same numbers."""
    first = again = unseal_on_badge(ON_BADGE, BADGE_ID, PACK, SECRET)
    for _ in range(20):
        again = unseal_on_badge(seal_on_badge(again, BADGE_ID, SECRET), BADGE_ID, PACK, SECRET)
    assert np.allclose(first.vector, again.vector, atol=1e-6)


def test_an_on_badge_template_opens_nowhere_else() -> None:
    """Not with another site's secret, for another badge or pack, nor altered, cut or longer."""
    assert not on_badge_refused()
    assert all(on_badge_refused(site=SiteSecret(value)) for value in flipped(SECRET.value))
    assert all(on_badge_refused(badge_id=badge_id) for badge_id in flipped(BADGE_ID))
    assert all(on_badge_refused(pack_id=pack_id) for pack_id in ("", PACK + " ", PACK.upper(), "dlib/0123456789ab"))
    assert all(on_badge_refused(sealed) for sealed in flipped(ON_BADGE))
    assert all(on_badge_refused(ON_BADGE[:length]) for length in range(len(ON_BADGE)))
    assert on_badge_refused(ON_BADGE + b"\0")


@pytest.mark.parametrize(
    "body", [b"", b"\0\0\0", b"\0\0\x80?", b"\0\0\xc0\x7f\1\2", b"\0\0\x80\x7f\1\0", b"\xff\xff\x7f\x7f\x7f"]
)
def test_rounded_numbers_that_cannot_be_compared_are_refused(body: bytes) -> None:
    """Properly sealed, but no template: nothing, no scale, no numbers, a scale that is none or too large."""
    nonce = bytes(12)
    assert on_badge_refused(nonce + on_badge_key().encrypt(nonce, body, cbor2.dumps([1, BADGE_ID, PACK])))


def test_the_form_of_an_on_badge_template_is_the_one_that_is_documented() -> None:
    """float32 scale, then int8; the key is HKDF-SHA256 of the site secret, without salt."""
    numbers = on_badge_key().decrypt(ON_BADGE[:12], ON_BADGE[12:], cbor2.dumps([1, BADGE_ID, PACK]))
    scale = np.frombuffer(numbers, "<f4", 1)[0]
    rounded = np.frombuffer(numbers, np.int8, offset=4).astype(np.float32) * scale
    assert np.allclose(template().vector, rounded, atol=float(scale))


def test_no_form_opens_as_another() -> None:
    """What is sealed under one key is noise under the others, even for the same badge."""
    assert refused(PLAIN) and refused(ON_BADGE)
    assert plain_refused(SEALED) and plain_refused(ON_BADGE)
    assert on_badge_refused(SEALED) and on_badge_refused(PLAIN)


def test_wiping_a_template_wipes_what_was_decrypted() -> None:
    """The numbers stand on the very bytes the cipher wrote: no copy stays behind that nobody can reach."""
    for opened in (unseal(SEALED, KEY, BADGE_ID, PACK, SECRET), unseal_plain(PLAIN, BADGE_ID, PACK, SECRET)):
        whole = opened.vector
        while isinstance(whole.base, np.ndarray):
            whole = whole.base
        assert whole.any()
        opened.wipe()
        assert not whole.any()


def test_sealing_wipes_what_it_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each form: the copy of the numbers that went into the cipher is overwritten, the template itself is not."""
    copies = []
    whole = seal_module._seal

    def watched(numbers: NDArray[np.uint8], *rest: Any) -> bytes:
        assert numbers.any()
        copies.append(numbers)
        return whole(numbers, *rest)

    monkeypatch.setattr(seal_module, "_seal", watched)
    kept = template()
    seal(kept, KEY, BADGE_ID, SECRET)
    seal_plain(kept, BADGE_ID, SECRET)
    seal_on_badge(kept, BADGE_ID, SECRET)
    assert [False] * 3 == [bool(copy.any()) for copy in copies]
    assert np.array_equal(template().vector, kept.vector)


def test_sealing_twice_gives_two_texts() -> None:
    """The nonce is fresh each time, so equal templates cannot be told from outside."""
    texts = {seal(template(), KEY, BADGE_ID, SECRET) for _ in range(50)}
    texts |= {seal_plain(template(), BADGE_ID, SECRET) for _ in range(50)}
    assert 100 == len(texts) == len({text[:12] for text in texts})


def test_handles_and_card_hashes_need_the_site_secret() -> None:
    """They differ between badges, between sites and from each other, and show nothing of what they stand for."""
    other = SiteSecret(bytes(32))
    number = BADGE_ID.decode("latin-1")
    hashed = {
        handle(SECRET, BADGE_ID),
        handle(other, BADGE_ID),
        handle(SECRET, BADGE_ID[::-1]),
        card_hash(SECRET, number),
        card_hash(other, number),
    }
    assert 5 == len(hashed)
    assert handle(SECRET, BADGE_ID) == handle(SiteSecret(SECRET.value), BADGE_ID)
    assert not any(BADGE_ID in value for value in hashed)


def test_nothing_that_is_printed_shows_a_secret(tmp_path: Path) -> None:
    """Badge keys, numbers, codes, templates, the site secret, the issuer's key: not in `repr`, `str` or a log line."""
    pub = tmp_path / "issuer.pub"
    issuer.create(pub, "School", None)
    signer = issuer.load_private(pub, None)
    private = (tmp_path / "issuer.key").read_text("utf-8").splitlines()[2]
    badge = replace(credential(), sealed_template=b"sealed bytes here")
    text = keys().sign(credential())
    assert badge.badge_key is not None
    holders: dict[object, list[bytes | str]] = {
        badge: [badge.badge_id, badge.badge_key, b"sealed bytes here"],
        Code(text): [text, text[4:20], text[-20:]],
        SECRET: [SECRET.value],
        signer: [private],
    }
    reference = template()
    shown = [(f"{reference!r} {reference} {reference:}", [f"{reference.vector[0]:.3f}", str(reference.vector[0])])]
    for holder, hidden in holders.items():
        shown.append((f"{holder!r} {holder} {[holder]} {holder:}", [*map(str, hidden)]))
        shown[-1][1].extend(value.hex() for value in hidden if isinstance(value, bytes))
        shown[-1][1].extend(repr(value)[2:14] for value in hidden if isinstance(value, bytes))
    for printed, secrets in shown:
        assert printed.strip()
        assert [] == [hidden for hidden in secrets if hidden in printed]
    assert str(NOW) in repr(badge)  # what is no secret is there: the test reads the right text


def test_the_site_secret_is_private_and_made_once(tmp_path: Path) -> None:
    """32 random bytes in a file of 0600, which is not overwritten."""
    path = tmp_path / "site.key"
    secret.create(path)
    made = secret.load(path)
    assert 32 == len(made.value)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    with pytest.raises(EdgeGateError) as caught:
        secret.create(path)
    said(caught.value)
    assert made.value == secret.load(path).value
    secret.create(tmp_path / "another.key")
    assert made.value != secret.load(tmp_path / "another.key").value


@pytest.mark.parametrize("data", [b"", b"secret", b"00" * 31, b"00" * 33, b"\xff" * 64, b"zz" * 32, b"0" * 5000])
def test_a_file_that_is_no_site_secret_is_told_in_one_line(data: bytes, tmp_path: Path) -> None:
    """Without showing what it holds."""
    path = tmp_path / "site.key"
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(EdgeGateError) as caught:
        secret.load(path)
    assert str(path) in said(caught.value)


@pytest.mark.parametrize(("mode", "good"), [(0o600, True), (0o640, True), (0o644, False), (0o602, False)])
def test_a_site_secret_that_everybody_reads_is_refused(mode: int, good: bool, tmp_path: Path) -> None:
    """The group of the daemon may read it, others may not; the line names the command that mends it."""
    path = tmp_path / "site.key"
    secret.create(path)
    path.chmod(mode)
    if good:
        assert 32 == len(secret.load(path).value)
    else:
        with pytest.raises(EdgeGateError) as caught:
            secret.load(path)
        assert "chmod 600" in said(caught.value)
