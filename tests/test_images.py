"""Pictures from files: what is read, how it is turned, and what is refused before it costs memory."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil
from PIL import ImageOps

from edgegate.errors import EdgeGateError, PhotoRefused
from edgegate.images import MAX_BYTES, MAX_PIXELS, SUFFIXES, grey, read_image
from edgegate.model import Image

RED, BLUE = (255, 0, 0), (0, 0, 255)
ORIENTATION = 0x0112


def halves() -> Pil.Image:
    """Red above, blue below, twice as high as wide; the left edge a little darker."""
    picture = Pil.new("RGB", (40, 80), RED)
    picture.paste(BLUE, (0, 40, 40, 80))
    picture.paste((120, 0, 0), (0, 0, 10, 40))
    return picture


def near(expected: tuple[int, int, int], image: Image, row: int, column: int) -> bool:
    """Is this pixel, in BGR, the colour given in RGB, but for a lossy format's error?"""
    return bool(np.abs(image[row, column, ::-1].astype(int) - expected).max() <= 25)


def png(width: int, height: int, rows: bytes) -> bytes:
    """A PNG of one bit a pixel that claims this size, around any compressed rows."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_format_is_read_as_bgr(tmp_path: Path, suffix: str) -> None:
    """Red above blue stays so in every format, as (height, width, 3) of bytes in a row."""
    halves().save(tmp_path / f"a{suffix}", quality=95)
    image = read_image(tmp_path / f"a{suffix}")
    assert ((80, 40, 3), np.dtype(np.uint8), True) == (image.shape, image.dtype, image.flags.c_contiguous)
    assert near(RED, image, 20, 30)
    assert near(BLUE, image, 60, 20)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright(tmp_path: Path, orientation: int) -> None:
    """A camera held in any way: the picture is turned, or mirrored, as its EXIF says."""
    upright = halves()
    undo = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, 1)
    upright.getexif()[ORIENTATION] = undo
    stored = ImageOps.exif_transpose(upright)
    exif = Pil.Exif()
    exif[ORIENTATION] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(np.asarray(halves())[:, :, ::-1], read_image(tmp_path / "a.png"))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_every_kind_of_pixel_becomes_bgr(tmp_path: Path, mode: str) -> None:
    """Scans and exports come in many modes; black stays black, white stays white."""
    picture = Pil.new("L", (30, 20), 0)
    picture.paste(255, (15, 0, 30, 20))
    if mode.startswith("I"):
        wide = np.asarray(picture).astype(np.uint16) * 257
        picture = Pil.fromarray(wide if mode == "I;16" else wide.astype(np.int32))
    elif mode == "LA":
        picture.putalpha(255)
    elif mode in ("P", "CMYK", "YCbCr", "RGBA"):
        picture = picture.convert("RGB").convert(mode)
    else:
        picture = picture.convert(mode)
    assert mode == picture.mode
    picture.save(tmp_path / "a.tif")
    image = read_image(tmp_path / "a.tif")
    assert (20, 30, 3) == image.shape
    assert (0, 255) == (int(image[10, 5].max()), int(image[10, 25].min()))


def test_16_bits_of_grey_keep_their_middle(tmp_path: Path) -> None:
    """A 16-bit scan is scaled, not cut off."""
    Pil.fromarray(np.full((10, 10), 0x8000, np.uint16)).save(tmp_path / "a.png")
    assert 128 == int(read_image(tmp_path / "a.png")[5, 5, 0])


def test_grey_keeps_the_shape() -> None:
    """The decoders get (height, width), weighted as the eye sees it."""
    picture = np.zeros((4, 6, 3), np.uint8)
    picture[:, :, 1] = 255
    assert (grey(picture).shape, int(grey(picture)[0, 0])) == ((4, 6), 150)


def noise(kind: str) -> bytes:
    """A picture of this kind that does not compress, so that its half is half."""
    out = io.BytesIO()
    Pil.fromarray(np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)).save(out, kind)
    return out.getvalue()


UNREADABLE = {
    "nothing": b"",
    "one byte": b"\xff",
    "text": b"no picture\n" * 50,
    "pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    "gif": noise("GIF"),
    "half a jpeg": noise("JPEG")[:9000],
    "head of a jpeg": noise("JPEG")[:20],
    "half a png": noise("PNG")[:60_000],
    "half a webp": noise("WEBP")[:9000],
    "half a bmp": noise("BMP")[:60_000],
    "png without pixels": png(64, 64, b""),
    "png of rubbish": png(64, 64, b"not deflated"),
    "png without size": png(0, 0, zlib.compress(b"\0")),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_is_no_whole_picture_is_refused(tmp_path: Path, kind: str) -> None:
    """A foreign, empty or truncated file is refused with its path and what to do, whatever its name."""
    path = tmp_path / "face.jpg"
    path.write_bytes(UNREADABLE[kind])
    with pytest.raises(PhotoRefused) as refused:
        read_image(path)
    assert "unreadable" == refused.value.code
    assert f"{path}: is not a picture that can be read whole; use a JPEG or PNG file that opens elsewhere" == str(
        refused.value
    )


@pytest.mark.parametrize("side", [7072, 9000])
def test_a_picture_above_the_limit_is_refused_by_its_header(tmp_path: Path, side: int) -> None:
    """Above 50 megapixels nothing is decoded: these files hold no pixel at all."""
    assert side * side > MAX_PIXELS
    (tmp_path / "a.png").write_bytes(png(side, side, b""))
    with pytest.raises(
        PhotoRefused, match=f"has {side} x {side} pixels, more than 50 megapixels; make it smaller"
    ) as refused:
        read_image(tmp_path / "a.png")
    assert "too_large" == refused.value.code


def test_a_giant_is_refused_from_a_small_file(tmp_path: Path) -> None:
    """20,000 x 20,000 pixels in 50 kB: refused, not unpacked."""
    side = 20_000
    rows = zlib.compress(bytes((side // 8 + 1) * side), 9)
    (tmp_path / "giant.png").write_bytes(png(side, side, rows))
    assert (tmp_path / "giant.png").stat().st_size < 100_000
    with pytest.raises(PhotoRefused) as refused:
        read_image(tmp_path / "giant.png")
    assert refused.value.code in ("too_large", "unreadable")


def test_a_picture_at_the_limit_is_read(tmp_path: Path) -> None:
    """7071 x 7071 is just below 50 megapixels."""
    side = 7071
    (tmp_path / "a.png").write_bytes(png(side, side, zlib.compress(bytes(((side + 7) // 8 + 1) * side), 1)))
    assert (side, side, 3) == read_image(tmp_path / "a.png").shape


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    """A file of more than 64 MB is refused unread."""
    with (tmp_path / "a.png").open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(EdgeGateError, match=f"is larger than {MAX_BYTES} bytes"):
        read_image(tmp_path / "a.png")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    """What is not there, or no file, is one line with its path."""
    (tmp_path / "folder.jpg").mkdir()
    for name, what in (("none.jpg", "does not exist; check the file's name"), ("folder.jpg", "cannot be read")):
        with pytest.raises(EdgeGateError) as refused:
            read_image(tmp_path / name)
        assert str(refused.value).startswith(f"{tmp_path / name}: {what}")
