"""One file from a server, whole and hashed, going on where an earlier attempt stopped.

Range requests are those of RFC 9110, section 14. The hash is known beforehand, so whatever a server or a proxy mixes
up on the way is found at the end. Proxies are those of the environment, certificates those the system trusts.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import IO, TypeAlias
from urllib.parse import urlsplit

from edgegate import __version__
from edgegate.errors import EdgeGateError
from edgegate.faces.offers import Download

TIMEOUT_S = 30.0
"""Without a byte for so long, the connection counts as cut."""
_CHUNK = 256 * 1024

Tell: TypeAlias = Callable[[int], None]
"""Is told how many bytes are there."""


class _Failure(Exception):
    """Why it is not there yet; `keep` when what came so far may serve the next attempt."""

    def __init__(self, what: str, next: str, *, keep: bool) -> None:
        self.what, self.next, self.keep = what, next, keep
        super().__init__(what)


def fetch(download: Download, url: str, part: Path, tell: Tell) -> None:
    """Make `part` the file meant. Raises EdgeGateError: a cut connection leaves `part` to go on from and names it,
    anything else leaves nothing."""
    check_address(url)
    try:
        with _open(part) as stream:
            _complete(download, url, stream, tell)
    except _Failure as failure:
        kept = failure.keep and part.stat().st_size > 0
        if not kept:
            part.unlink()
        rest = f"; what came is kept in {part}" if kept else ""
        raise EdgeGateError(failure.what, where=url, next=failure.next + rest) from None


def check_address(url: str) -> None:
    """https, or plain http to this very machine. Raises EdgeGateError."""
    if not _allowed(url, local=True):
        # Not repeated here: there may be a password in it.
        raise EdgeGateError("that is no address to download from", where="--url", next="give one with https://")


def _allowed(url: str, *, local: bool) -> bool:
    try:
        parts = urlsplit(url)
        usable = parts.hostname and parts.username is None and parts.port != 0
    except ValueError:
        return False
    if not usable or not re.fullmatch(r"[!-~]+", url):
        return False
    return parts.scheme == "https" or (local and parts.scheme == "http" and _is_local(url))


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _open(part: Path) -> io.FileIO:
    try:
        # Whoever owns the folder could have left a link here, and root would write where it leads.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return io.FileIO(os.open(part, flags, 0o644), "r+")
    except OSError as error:
        raise EdgeGateError(
            f"cannot be written ({error.strerror})", where=str(part), next="check the folder and its permissions"
        ) from None


def _complete(download: Download, url: str, stream: io.FileIO, tell: Tell) -> None:
    have, size = stream.seek(0, os.SEEK_END), download.bytes
    if have > size:
        have = stream.truncate(0)
    if have < size:
        with _answer(url, have, size) as answer:
            start = _start(answer, have, size)
            stream.seek(start)
            stream.truncate()
            _copy(answer, stream, start, size, tell)
    stream.seek(0)
    if hashlib.file_digest(stream, "sha256").hexdigest() != download.sha256:
        raise _Failure(
            "is not the file that the catalogue means (SHA-256 differs); it was thrown away",
            "try again, perhaps over another network",
            keep=False,
        )


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to https only; a server on this machine may also send to this machine."""

    max_redirections = 5

    def __init__(self, *, local: bool) -> None:
        self._local = local

    def redirect_request(  # noqa: PLR0917 - the library's signature
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not _allowed(newurl, local=self._local):
            fp.close()
            raise _Failure("the server sends on to an address without https", "give another with --url", keep=True)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _answer(url: str, have: int, size: int) -> http.client.HTTPResponse:
    local = _is_local(url)
    handlers: list[urllib.request.BaseHandler] = [_Redirects(local=local)]
    if local:
        handlers.append(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"User-Agent": f"edgegate/{__version__}"})  # noqa: S310 - checked
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer: http.client.HTTPResponse = urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        known = error.code in {status.value for status in HTTPStatus}
        phrase = f" ({HTTPStatus(error.code).phrase})" if known else ""
        # 416: the server's file ends before what is here does.
        keep = error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        raise _Failure(
            f"the server answers {error.code}{phrase}", "check the address, or try later", keep=keep
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: a name that cannot be one
        raise _cut(error, have, size) from None
    return answer


def _start(answer: http.client.HTTPResponse, have: int, size: int) -> int:
    """The byte this answer begins with; 0 where the server knows no ranges."""
    start = have if answer.status == HTTPStatus.PARTIAL_CONTENT else 0
    if answer.status == HTTPStatus.PARTIAL_CONTENT:
        said = re.fullmatch(r"bytes (\d{1,15})-\d{1,15}/(\d{1,15}|\*)", answer.headers.get("Content-Range", ""))
        same = said is not None and int(said[1]) == have and said[2] in (str(size), "*")
    else:
        same = answer.status == HTTPStatus.OK
    same = same and answer.headers.get("Content-Length", str(size - start)).strip() == str(size - start)
    if not same or answer.headers.get("Content-Encoding", "identity") != "identity":
        raise _other()
    return start


def _copy(answer: http.client.HTTPResponse, stream: io.FileIO, at: int, size: int, tell: Tell) -> None:
    tell(at)
    while at < size:
        try:
            chunk = answer.read1(min(_CHUNK, size - at))  # what is there, so that nothing is lost with the connection
        except (OSError, http.client.HTTPException) as error:
            raise _cut(error, at, size) from None
        if not chunk:
            raise _other() if answer.chunked else _cut(ConnectionError(), at, size)
        _write(stream, chunk)
        at += len(chunk)
        tell(at)


def _write(stream: io.FileIO, data: bytes) -> None:
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[stream.write(rest) or 0 :]
    except OSError as error:
        # A gate's own records may live on this disk: give the space back.
        raise _Failure(
            f"cannot be kept here ({error.strerror}); nothing was",
            "make room on the disk of faces.models_dir",
            keep=False,
        ) from None


def _other() -> _Failure:
    return _Failure(
        "the server has another file there than the catalogue means",
        "open the address in a browser: some networks ask for a login first",
        keep=False,
    )


def _cut(error: Exception, at: int, size: int) -> _Failure:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    match reason:
        case ssl.SSLCertVerificationError():
            what, next_step = f"the server's certificate does not hold ({reason.verify_message})", "check the clock"
        case socket.gaierror() | ValueError():
            what, next_step = "the server's name is not known here", "check the network"
        case TimeoutError():
            what, next_step = f"the server is silent for {TIMEOUT_S:g} s", "run it again"
        case OSError() if reason.strerror:
            what, next_step = f"the connection failed ({reason.strerror})", "check the network, and run it again"
        case OSError() if str(reason):  # a proxy's refusal, above all
            said = "".join(letter for letter in str(reason) if letter.isprintable())[:100]
            what, next_step = f"the connection failed ({said})", "check network and proxy"
        case _:
            what, next_step = "the connection was cut", "run it again"
    return _Failure(f"{what}; {at} of {size} bytes are here", next_step, keep=True)
