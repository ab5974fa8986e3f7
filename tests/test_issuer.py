"""The issuer's key pair on disk: private, under its passphrase, never overwritten."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from edgegate.badges.credential import CredentialBook
from edgegate.badges.issuer import create, is_encrypted, load_private, load_public, private_path
from edgegate.errors import EdgeGateError
from tests.contracts.kit import credential, files, said

WORD = "un mot de passe, été".encode()


@pytest.fixture
def public(tmp_path: Path) -> Path:
    """Where the public part goes."""
    return tmp_path / "issuer.pub"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("word", [None, WORD], ids=["bare", "passphrase"])
def test_a_pair_signs_and_verifies(public: Path, word: bytes | None) -> None:
    """What the private part signs, a gate with the public part alone takes for good."""
    kid = create(public, "Lycée Ada", word)
    issuer = load_private(public, word)
    gate = load_public([public])
    assert [bytes.fromhex(kid)] == list(gate)
    assert "Lycée Ada" == issuer.name
    assert credential() == CredentialBook(gate).verify(issuer.sign(credential()))


@pytest.mark.parametrize("word", [None, WORD], ids=["bare", "passphrase"])
def test_the_private_part_is_private(public: Path, word: bytes | None) -> None:
    """0600 beside the public part, which everybody may read and which does not hold the key."""
    create(public, "School", word)
    private = private_path(public)
    assert {"issuer.pub", "issuer.key"} == set(files(public.parent))
    assert 0o600 == mode(private)
    assert 0o644 == mode(public)
    assert b"PRIVATE" in private.read_bytes()
    assert b"PRIVATE" not in public.read_bytes()
    assert (word is not None) is is_encrypted(public)
    assert (word is not None) is (b"ENCRYPTED" in private.read_bytes())


def test_pairs_are_never_alike(tmp_path: Path) -> None:
    """Each pair has a key id of its own, which is that of its key."""
    kids = {create(tmp_path / f"{number}.pub", "School", None) for number in range(5)}
    paths = [tmp_path / f"{number}.pub" for number in range(5)]
    assert 5 == len(kids)
    assert kids == {kid.hex() for kid in load_public(paths)}


@pytest.mark.parametrize(
    ("made_with", "opened_with", "says"),
    [
        (WORD, None, "needs its passphrase"),
        (WORD, b"another", "does not open with this passphrase"),
        (WORD, WORD + b" ", "does not open with this passphrase"),
        (None, WORD, "needs no passphrase"),
    ],
)
def test_a_wrong_passphrase_is_told_in_one_line(
    public: Path, made_with: bytes | None, opened_with: bytes | None, says: str
) -> None:
    """Missing, wrong and superfluous are three different slips; none shows the word."""
    create(public, "School", made_with)
    with pytest.raises(EdgeGateError) as caught:
        load_private(public, opened_with)
    text = said(caught.value)
    assert says in text
    assert str(private_path(public)) in text
    assert WORD.decode() not in text


@pytest.mark.parametrize("there", ["issuer.pub", "issuer.key"])
def test_neither_part_is_overwritten(public: Path, there: str) -> None:
    """Where one part is, nothing is made and nothing is changed."""
    (public.parent / there).write_bytes(b"of another school")
    with pytest.raises(EdgeGateError) as caught:
        create(public, "School", None)
    assert there in said(caught.value)
    assert {there: b"of another school"} == files(public.parent)


@pytest.mark.parametrize("name", ["", "n" * 65, "two\nlines", "bell\a", "\0"])
def test_a_name_that_does_not_fit_is_refused(public: Path, name: str) -> None:
    """It goes into every badge and onto one line of the file."""
    with pytest.raises(EdgeGateError) as caught:
        create(public, name, None)
    said(caught.value)
    assert {} == files(public.parent)


@pytest.mark.parametrize("name", ["n" * 64, "École n° 7 « Léonard »", "学校"])
def test_the_longest_and_strangest_names_are_kept(public: Path, name: str) -> None:
    """Sixty-four printable characters of any script."""
    create(public, name, None)
    assert name == load_private(public, None).name


def test_a_passphrase_too_long_is_told_in_one_line(public: Path) -> None:
    """Above 1,023 bytes the library has a limit of its own; nothing is left half made."""
    with pytest.raises(EdgeGateError) as caught:
        create(public, "School", b"w" * 1024)
    said(caught.value)
    assert {} == files(public.parent)


def rsa_private() -> bytes:
    return rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def rsa_public() -> bytes:
    return (
        rsa.generate_private_key(65537, 2048)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def ed_private() -> bytes:
    return ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


NO_KEYS: dict[str, Callable[[], bytes]] = {
    "empty": bytes,
    "text": lambda: b"no key",
    "noise": lambda: bytes(range(256)),
    "large": lambda: b"-" * 10_000,
    "cut": lambda: ed_private()[:60],
}


@pytest.mark.parametrize("make", [*NO_KEYS.values(), rsa_private, rsa_public], ids=[*NO_KEYS, "rsa", "rsa public"])
def test_a_file_that_is_no_private_key_is_told_in_one_line(public: Path, make: Callable[[], bytes]) -> None:
    """The wrong file under the right name, with and without a passphrase given."""
    private_path(public).write_bytes(make())
    for word in (None, WORD):
        with pytest.raises(EdgeGateError) as caught:
            load_private(public, word)
        assert str(private_path(public)) in said(caught.value)


@pytest.mark.parametrize("make", [*NO_KEYS.values(), rsa_public, ed_private], ids=[*NO_KEYS, "rsa", "private"])
def test_a_file_that_is_no_public_key_is_told_in_one_line(public: Path, make: Callable[[], bytes]) -> None:
    """A gate takes Ed25519 public keys and nothing else, not even the private part."""
    public.write_bytes(make())
    with pytest.raises(EdgeGateError) as caught:
        load_public([public])
    assert str(public) in said(caught.value)


def test_missing_parts_name_the_command_that_makes_them(public: Path) -> None:
    """A technician who starts with an empty folder is told where to begin."""
    for look in (lambda: load_private(public, None), lambda: load_public([public]), lambda: is_encrypted(public)):
        with pytest.raises(EdgeGateError) as caught:
            look()
        assert "issuer init" in said(caught.value)


def test_a_key_without_a_name_is_a_schools(public: Path) -> None:
    """A pair made with other tools works; its badges say `school`."""
    key = ed25519.Ed25519PrivateKey.generate()
    private_path(public).write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    issuer = load_private(public, None)
    assert "school" == issuer.name
    assert credential() == CredentialBook(load_public([public])).verify(issuer.sign(credential()))
