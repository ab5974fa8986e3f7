"""A network camera for the tests: RTSP over TCP with Motion JPEG (RFC 2326, RFC 2435), for one stream and no more."""

from __future__ import annotations

import base64
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import cv2
import numpy as np

from edgegate.model import Image

CLOCK_HZ = 90_000
PACKET = 1400


@dataclass
class NetworkCamera:
    """What the server shows, and its faults. Another thread may change them."""

    picture: Image
    fps: float = 25.0
    login: str = ""
    """`name:password`, if it wants one."""
    silent: bool = False
    """The connection stands, and no more pictures come."""
    deaf: bool = False
    """Connections are accepted and nothing is answered."""
    port: int = 0
    opened: int = 0
    connections: list[Stream] = field(default_factory=list)

    def unplug(self) -> None:
        """Cut every connection that stands."""
        for connection in self.connections:
            connection.over.set()


class Stream(socketserver.StreamRequestHandler):
    """One connection."""

    server: Server

    def setup(self) -> None:
        super().setup()
        self.over, self.camera = threading.Event(), self.server.camera
        self.camera.connections.append(self)

    def handle(self) -> None:
        while not self.over.is_set() and (request := self._request()):
            method, headers = request
            if self.camera.deaf:
                self.over.wait()
            elif not self._may_enter(headers):
                self._answer(headers, "401 Unauthorized", 'WWW-Authenticate: Basic realm="camera"')
            elif method == "DESCRIBE":
                self._answer(headers, "200 OK", "Content-Type: application/sdp", body=self._description())
            elif method == "SETUP":
                self._answer(headers, "200 OK", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1")
            elif method == "PLAY":
                self._answer(headers, "200 OK", "Session: 1")
                self._play()
            else:
                self._answer(headers, "200 OK", "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")

    def _request(self) -> tuple[str, dict[str, str]] | None:
        lines: list[str] = []
        while (line := self.rfile.readline().decode().strip()) or not lines:
            if not line:
                return None
            lines.append(line)
        pairs = (line.partition(":") for line in lines[1:])
        return lines[0].split()[0], {name.lower(): value.strip() for name, _, value in pairs}

    def _may_enter(self, headers: dict[str, str]) -> bool:
        login = base64.b64encode(self.camera.login.encode()).decode()
        return not self.camera.login or headers.get("authorization") == f"Basic {login}"

    def _answer(self, request: dict[str, str], status: str, *headers: str, body: str = "") -> None:
        head = [f"RTSP/1.0 {status}", f"CSeq: {request.get('cseq', '0')}", *headers, f"Content-Length: {len(body)}"]
        self.wfile.write(("\r\n".join([*head, "", ""]) + body).encode())

    def _description(self) -> str:
        lines = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=-", "t=0 0", "m=video 0 RTP/AVP 26", "a=control:track"]
        return "\r\n".join([*lines, f"a=framerate:{self.camera.fps}", ""])

    def _play(self) -> None:
        self.camera.opened += 1
        sequence, start = 0, time.monotonic()
        while not self.over.wait(1 / self.camera.fps):
            if self.camera.silent:
                continue
            stamp = int((time.monotonic() - start) * CLOCK_HZ)
            for last, payload in packets(self.camera.picture):
                header = struct.pack(">BBHII", 0x80, 26 | last << 7, sequence & 0xFFFF, stamp & 0xFFFFFFFF, 1)
                try:
                    self.wfile.write(struct.pack(">cBH", b"$", 0, len(header + payload)) + header + payload)
                except OSError:
                    return
                sequence += 1


class Server(socketserver.ThreadingTCPServer):
    """Listens on a free port of this machine."""

    allow_reuse_address = daemon_threads = True
    block_on_close = False

    def __init__(self, camera: NetworkCamera) -> None:
        super().__init__(("127.0.0.1", camera.port), Stream)
        self.camera = camera
        camera.port = self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever hangs up in the middle of an answer does what cameras have to live with."""


@contextmanager
def serving(camera: NetworkCamera) -> Iterator[NetworkCamera]:
    """Plug the camera in: it answers at `camera.port`, the same one each time."""
    with Server(camera) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield camera
        finally:
            server.shutdown()
            camera.unplug()
            thread.join()


def packets(picture: Image) -> Iterator[tuple[bool, bytes]]:
    """RTP payloads of one picture, each with `is it the last`. Sides must be multiples of 8."""
    height, width = picture.shape[:2]
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    tables, scan = parts(jpeg)
    for offset in range(0, len(scan), PACKET):
        piece = scan[offset : offset + PACKET]
        header = struct.pack(">I", offset) + bytes((1, 255, width // 8, height // 8))
        if offset == 0:
            header += struct.pack(">BBH", 0, 0, len(tables)) + tables
        yield offset + PACKET >= len(scan), header + piece


def parts(jpeg: bytes) -> tuple[bytes, bytes]:
    """Quantisation tables and scan of a baseline JPEG file in 4:2:0 with the usual Huffman tables, as OpenCV writes."""
    tables, at = b"", 2
    while True:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4])
        segment = jpeg[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == 0xDB:
            tables += b"".join(segment[start + 1 : start + 65] for start in range(0, len(segment), 65))
        if marker == 0xDA:
            return tables, jpeg[at:-2]


def still(width: int = 320, height: int = 240) -> Image:
    """Blue on the left, red on the right."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2, 0] = image[:, width // 2 :, 2] = 150
    return image
