"""What comes over the net: cut, moved, swapped, silent. A file is the one that was meant, or there is none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

import edgegate.faces.download
from edgegate.faces.catalogue import on_shelf
from edgegate.faces.download import check_address
from edgegate.faces.pull import pull
from tests.small_pack import DETECTOR, RECOGNISER, left, offer, refused
from tests.web_server import Web, serving


@pytest.fixture
def web() -> Iterator[Web]:
    with serving({"detector.onnx": DETECTOR, "recogniser.onnx": RECOGNISER}) as server:
        yield server


@pytest.mark.parametrize("chunked", [False, True])
def test_a_cut_connection_is_gone_on_from(tmp_path: Path, web: Web, chunked: bool) -> None:
    """What came is kept and named; the next attempt asks for the rest only."""
    web.cut_after, web.chunked = 500_000, chunked
    line = refused(tmp_path, web, "the connection was cut; 500000 of 1200007 bytes are here; run it again")
    part = tmp_path / ".pull-small" / "recogniser.onnx.part"
    assert line.endswith(f"; what came is kept in {part}")
    assert RECOGNISER[:500_000] == part.read_bytes()
    assert {".pull-small", ".pull-small/detector.onnx.part", ".pull-small/recogniser.onnx.part"} == left(tmp_path)
    assert ([], []) == (on_shelf(tmp_path).packs, on_shelf(tmp_path).problems)
    refused(tmp_path, web, "1000000 of 1200007 bytes are here")
    pull(offer(), tmp_path, accepted=True, base=web.address).verify()
    assert [("/recogniser.onnx", f"bytes={start}-") for start in (500_000, 1_000_000)] == web.asked[2:]
    assert {"small"} == {path.name for path in tmp_path.iterdir()}


def test_a_server_that_knows_no_ranges_starts_again(tmp_path: Path, web: Web) -> None:
    """Its whole answer replaces what came before."""
    web.cut_after = 500_000
    refused(tmp_path, web, "the connection was cut")
    web.cut_after, web.ranges = None, False
    pull(offer(), tmp_path, accepted=True, base=web.address).verify()


def test_an_interrupted_download_is_gone_on_from(tmp_path: Path, web: Web) -> None:
    """Ctrl-C in the middle leaves what came, and no half of a pack."""

    def interrupt(file: str, size: int, have: int) -> None:
        if file == "recogniser.onnx" and have > 400_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(offer(), tmp_path, accepted=True, base=web.address, tell=interrupt)
    assert {".pull-small"} == {path.name for path in tmp_path.iterdir()}
    pull(offer(), tmp_path, accepted=True, base=web.address).verify()
    assert 3 == len(web.asked)
    assert {"small"} == {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("begun", [0, 1000])
def test_a_wrong_file_leaves_nothing(tmp_path: Path, web: Web, begun: int) -> None:
    """Of the right length, but another; or the rest of a right one, after something else came first."""
    if begun:
        (tmp_path / "models" / ".pull-small").mkdir(parents=True)
        (tmp_path / "models" / ".pull-small" / "detector.onnx.part").write_bytes(bytes(begun))
    else:
        web.files["detector.onnx"] = DETECTOR[:-1] + bytes([DETECTOR[-1] ^ 1])
    line = refused(tmp_path / "models", web, "is not the file that the catalogue means (SHA-256 differs)")
    assert line.startswith(f"{web.address}/detector.onnx: ")
    assert set() == left(tmp_path / "models")
    assert (["bytes=1000-"] if begun else [None]) == [wanted for _, wanted in web.asked]


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "a login page": ({"files": {"detector.onnx": b"<html>Please log in</html>"}}, "another file there"),
    "a longer file": ({"files": {"detector.onnx": DETECTOR + b"+"}}, "another file there"),
    "a longer file in chunks": ({"files": {"detector.onnx": b"+" + DETECTOR}, "chunked": True}, "SHA-256 differs"),
    "a shorter file in chunks": ({"files": {"detector.onnx": DETECTOR[:-1]}, "chunked": True}, "another file there"),
    "an encoded file": ({"headers": {"Content-Encoding": "gzip"}}, "another file there"),
    "missing": ({"files": {}}, "the server answers 404 (Not Found)"),
    "forbidden": ({"status": 403}, "the server answers 403 (Forbidden)"),
    "a strange status": ({"status": 799}, "the server answers 799; "),
    "nothing": ({"status": 204}, "another file there"),
    "out of order": ({"status": 503}, "the server answers 503 (Service Unavailable)"),
    "round in circles": ({"moved": {"/detector.onnx": "/detector.onnx"}}, "the server answers 302 (Found)"),
    "to http": ({"moved": {"/detector.onnx": "http://server.example/x"}}, "sends on to an address without https"),
    "to a file": ({"moved": {"/detector.onnx": "file:///etc/passwd"}}, "the server answers 302 (Found)"),
    "to ftp": ({"moved": {"/detector.onnx": "ftp://server.example/x"}}, "sends on to an address without https"),
    "nowhere": ({"moved": {"/detector.onnx": "https://"}}, "sends on to an address without https"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_server_with_something_else(tmp_path: Path, web: Web, kind: str) -> None:
    """One line, and nothing is left behind."""
    settings, says = OTHERS[kind]
    for name, value in settings.items():
        setattr(web, name, value)
    refused(tmp_path / "models", web, says)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"files": {"detector.onnx": DETECTOR[:999]}}, "the server answers 416 (Requested Range Not Satisfiable)"),
        ({"headers": {"Content-Range": "bytes 0-70000/70001"}}, "another file there"),
        ({"headers": {"Content-Range": "bytes 1000-70000/80000"}}, "another file there"),
        ({"headers": {"Content-Range": "parts"}}, "another file there"),
    ],
)
def test_a_range_that_was_not_asked_for(tmp_path: Path, web: Web, settings: dict[str, Any], says: str) -> None:
    """What came before cannot be gone on from: it goes, and the next attempt starts afresh."""
    part = tmp_path / "models" / ".pull-small" / "detector.onnx.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(DETECTOR[:1000])
    for name, value in settings.items():
        setattr(web, name, value)
    refused(tmp_path / "models", web, says)
    assert set() == left(tmp_path / "models")


def test_a_part_longer_than_the_file_starts_again(tmp_path: Path, web: Web) -> None:
    """Left by another version of the catalogue."""
    (tmp_path / ".pull-small").mkdir()
    (tmp_path / ".pull-small" / "detector.onnx.part").write_bytes(bytes(80_000))
    pull(offer(), tmp_path, accepted=True, base=web.address).verify()
    assert ("/detector.onnx", None) == web.asked[0]


def test_a_whole_part_is_not_asked_for_again(tmp_path: Path, web: Web) -> None:
    """It only has to be hashed."""
    (tmp_path / ".pull-small").mkdir()
    (tmp_path / ".pull-small" / "detector.onnx.part").write_bytes(DETECTOR)
    pull(offer(), tmp_path, accepted=True, base=web.address).verify()
    assert [("/recogniser.onnx", None)] == web.asked


def test_redirects_are_followed(tmp_path: Path, web: Web) -> None:
    """As releases and Git LFS do it; a server on this machine may send on to itself."""
    web.moved = {
        "/detector.onnx": "/elsewhere/detector.onnx",
        "/recogniser.onnx": f"{web.address}/store/recogniser.onnx",
    }
    pull(offer(), tmp_path, accepted=True, base=web.address).verify()
    assert ["/detector.onnx", "/elsewhere/detector.onnx", "/recogniser.onnx", "/store/recogniser.onnx"] == [
        path for path, _ in web.asked
    ]


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://server.example/x",
            "ftp://127.0.0.1/x",
            "file:///etc/passwd",
            "server.example",
            "",
            "https://",
            "https:/x",
        ),
        *("https://me:secret@server.example/", "https://server.example:0/", "https://server.example:99999/"),
        *(
            "https://server.example/a b",
            "https://server.example/\n",
            "https://[::1/",
            "http://127.0.0.1.server.example/",
        ),
        *("https://sérver.example/", "http://localhost.server.example/"),
    ],
)
def test_an_address_that_is_not_used(tmp_path: Path, web: Web, url: str) -> None:
    """Nothing is asked, nothing is made, and a password in it is not repeated."""
    line = refused(tmp_path / "models", web, "--url: that is no address to download from", base=url)
    assert "secret" not in line
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "url", ["https://server.example/x", "http://localhost:8000/x", "http://[::1]/x", "http://127.1.2.3/"]
)
def test_an_address_that_is_used(url: str) -> None:
    """https anywhere, http on this machine only."""
    check_address(url)


def test_a_silent_server(tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for longer than half a minute; here, half a second."""
    assert 30.0 == edgegate.faces.download.TIMEOUT_S
    monkeypatch.setattr(edgegate.faces.download, "TIMEOUT_S", 0.5)
    web.silent = True
    refused(tmp_path / "models", web, "the server is silent for 0.5 s; 0 of 70001 bytes are here; run it again")
    assert [] == list(tmp_path.iterdir())


def test_nobody_listens(tmp_path: Path, web: Web) -> None:
    """A server that is not there."""
    line = refused(tmp_path / "models", web, "the connection failed (Connection refused)", base="http://127.0.0.1:1/")
    assert "check the network" in line
    assert [] == list(tmp_path.iterdir())


def test_proxies_are_those_of_the_environment(tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue's address is asked for through the proxy, which sees a name and a port only; here it refuses.
    This machine is not."""
    monkeypatch.setenv("https_proxy", web.address)
    line = refused(tmp_path / "models", web, "the connection failed (Tunnel connection failed: 502", base=None)
    assert line.startswith("https://server.example/pack/detector.onnx: ")
    assert [("server.example:443", None)] == web.asked
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    pull(offer(), tmp_path / "models", accepted=True, base=web.address).verify()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that this machine's server has given to itself, with its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(made.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, *plain))
    return path


def test_certificates_are_checked(tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that vouches for itself is refused, unless this system trusts it; it may not send on to plain http
    elsewhere."""
    with serving({"detector.onnx": DETECTOR, "recogniser.onnx": RECOGNISER}, certificate) as web:
        line = refused(tmp_path / "models", web, "the server's certificate does not hold (self-signed certificate)")
        assert "; check the clock" in line
        assert ([], []) == (web.asked, list(tmp_path.iterdir()))
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        web.moved = {"/recogniser.onnx": "http://server.example/recogniser.onnx"}
        refused(tmp_path / "models", web, "sends on to an address without https")
        web.moved = {"/recogniser.onnx": f"{web.address}/store/recogniser.onnx"}
        pull(offer(), tmp_path / "models", accepted=True, base=web.address).verify()


def test_a_server_without_a_certificate(tmp_path: Path, web: Web) -> None:
    """https against a server that does not speak it."""
    refused(tmp_path / "models", web, "the connection failed (", base=web.address.replace("http:", "https:"))
    assert [] == list(tmp_path.iterdir())
