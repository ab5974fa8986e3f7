"""`models export` and `import`: a pack on a stick, hashed both ways; what else lies on a stick is not unpacked."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from edgegate.errors import EdgeGateError
from edgegate.faces.carry import import_pack
from edgegate.faces.manifest import MANIFEST
from tests.commands import Cli, good, refusal
from tests.conftest import ROOT, Site

FILES = {"detector.onnx": os.urandom(30_000), "recogniser.onnx": os.urandom(200_003)}


def manifest(name: str = "small", **changes: object) -> bytes:
    """A manifest that goes with FILES."""
    parts = {file: {"file": file, "sha256": hashlib.sha256(data).hexdigest()} for file, data in FILES.items()}
    raw = {
        "name": name,
        "engine": "opencv",
        "detector": parts["detector.onnx"],
        "recogniser": parts["recogniser.onnx"] | {"dimensions": 128, "input": {"size": 112}},
        "thresholds": {1e-4: 0.5},
        "licence": {"detector": "D", "recogniser": "R", "distributable": True},
    }
    return yaml.safe_dump(raw | changes).encode()


def folder(path: Path, **changes: object) -> Path:
    """A pack's folder."""
    path.mkdir(parents=True)
    for name, data in {MANIFEST: manifest(**changes), **FILES}.items():  # type: ignore[arg-type]
        (path / name).write_bytes(data)
    return path


def member(
    name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data)
    return info, data


def archive(path: Path, *more: tuple[tarfile.TarInfo, bytes], leave_out: str = "", under: str = "small/") -> Path:
    """A TAR of the pack, without one file, and with other members."""
    files = {MANIFEST: manifest(), **FILES}
    with tarfile.open(path, "w") as tar:
        for info, data in (
            *(member(f"{under}{name}", data) for name, data in files.items() if name != leave_out),
            *more,
        ):
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def site_with_pack(site: Site, cli: Cli) -> Site:
    """One with the small pack installed in `packs`."""
    site.configure(faces={"models_dir": "packs"})
    folder(site.folder / "source")
    good(cli("models", "import", "source", cwd=site.folder))
    return site


def test_a_pack_travels_on_a_stick(site_with_pack: Site, cli: Cli, tmp_path: Path) -> None:
    """Exported to one plain file, without links, and imported as it was; twice is refused both ways."""
    stick = tmp_path / "stick"
    stick.mkdir()
    file = stick / "small.tar"
    said = good(cli("models", "export", "small", stick))
    assert f"small written to {file} and read back; licence: detector D, recogniser R\n" == said
    assert ["small.tar"] == [path.name for path in stick.iterdir()]
    with tarfile.open(file) as tar:
        assert [f"small/{name}" for name in (MANIFEST, *FILES)] == tar.getnames()
        assert all(info.isreg() and (0, 0, 0o644) == (info.uid, info.mtime, info.mode) for info in tar)
    first = file.read_bytes()
    assert f"{file}: exists already" in refusal(cli("models", "export", "small", file))
    assert "is installed already" in refusal(cli("models", "import", file))
    shutil.rmtree(site_with_pack.folder / "packs" / "small")
    assert "small installed in" in good(cli("models", "import", file))
    assert manifest() == (site_with_pack.folder / "packs" / "small" / MANIFEST).read_bytes()
    good(cli("models", "export", "small", stick / "again.tar"))
    assert first == (stick / "again.tar").read_bytes()
    assert "there is no pack `other`" in refusal(cli("models", "export", "other", stick))
    assert "`dlib` needs no export" in refusal(cli("models", "export", "dlib", stick))


def test_a_pack_that_rots_is_not_exported(site_with_pack: Site, cli: Cli) -> None:
    """Nothing is written that could not be imported."""
    model = site_with_pack.folder / "packs" / "small" / "recogniser.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"?")
    assert f"{model}: is not the file that the manifest" in refusal(cli("models", "export", "small", "small.tar"))
    assert not (site_with_pack.folder / "small.tar").exists()


def test_a_stick_that_fills_up(site_with_pack: Site, cli: Cli) -> None:
    """The system refuses to write on: one line, and no half of a file."""
    code = (
        "import resource, sys; from edgegate.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); sys.exit(main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "models", "export", "small", "small.tar"],
        cwd=site_with_pack.folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert (2, "") == (done.returncode, done.stdout)
    assert (
        "edgegate: small.tar: cannot be written (File too large); nothing was kept; check folder and space\n"
        == done.stderr
    )
    assert not [path for path in site_with_pack.folder.iterdir() if path.name.endswith((".tar", ".part"))]
    assert "none/small.tar: cannot be written (No such file" in refusal(
        cli("models", "export", "small", "none/small.tar")
    )


def test_liveness_packs_travel_too(site: Site, cli: Cli, shared: Path) -> None:
    """With the real one."""
    site.configure(faces={"models_dir": "packs"})
    good(cli("models", "import", shared / "models/minifasnet", cwd=site.folder))
    good(cli("models", "export", "minifasnet", "live.tar"))
    shutil.rmtree("packs/minifasnet")
    assert "minifasnet installed in" in good(cli("models", "import", "live.tar"))
    assert "good  minifasnet" in good(cli("models", "verify"))


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "leads out": (lambda path: archive(path, member("../out.onnx", b"x")), "holds '../out.onnx'"),
    "leads out below": (lambda path: archive(path, member("small/../../out", b"x")), "holds 'small/../../out'"),
    "absolute": (lambda path: archive(path, member("/etc/edgegate/out", b"x")), "holds '/etc/edgegate/out'"),
    "a link": (lambda path: archive(path, member("small/x", b"", tarfile.SYMTYPE, "/etc")), "holds 'small/x'"),
    "a link instead": (
        lambda path: archive(
            path, member("small/recogniser.onnx", b"", tarfile.SYMTYPE, "/etc/passwd"), leave_out="recogniser.onnx"
        ),
        "holds 'small/recogniser.onnx'",
    ),
    "a hard link": (
        lambda path: archive(path, member("small/x", b"", tarfile.LNKTYPE, "small/pack.yaml")),
        "holds 'small/x'",
    ),
    "a pipe": (lambda path: archive(path, member("small/x", b"", tarfile.FIFOTYPE)), "holds 'small/x'"),
    "a device": (lambda path: archive(path, member("small/x", b"", tarfile.CHRTYPE)), "holds 'small/x'"),
    "twice": (lambda path: archive(path, member("small/pack.yaml", manifest())), "holds 'small/pack.yaml'"),
    "another folder": (lambda path: archive(path, member("other/x", b"x")), "holds several folders"),
    "deep": (lambda path: archive(path, member("small/a/b", b"x")), "holds 'small/a/b'"),
    "many": (lambda path: archive(path, *(member(f"small/{n}", b"") for n in range(99))), "holds 'small/"),
    "a strange name": (lambda path: archive(path, member("small/\x1b[2J/\n", b"x")), r"holds 'small/\x1b[2J/"),
    "no manifest": (lambda path: archive(path, leave_out=MANIFEST), "holds no pack.yaml"),
    "a large manifest": (
        lambda path: archive(path, member(f"small/{MANIFEST}", b"#" * 70_000), leave_out=MANIFEST),
        "holds a pack.yaml of more than 65536 bytes",
    ),
    "no model": (lambda path: archive(path, leave_out="recogniser.onnx"), "holds no recogniser.onnx"),
    "another model": (
        lambda path: archive(path, member("small/recogniser.onnx", bytes(200_003)), leave_out="recogniser.onnx"),
        "recogniser.onnx: is not the file that the manifest of pack small names (SHA-256 differs)",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused(tmp_path: Path, kind: str) -> None:
    """One line that names the member; nothing is unpacked anywhere."""
    make, says = HOSTILE[kind]
    line = not_imported(make(tmp_path / "small.tar"), tmp_path / "models")
    assert says in line
    assert ["small.tar"] == [path.name for path in tmp_path.iterdir()]


def not_imported(source: Path, models_dir: Path) -> str:
    with pytest.raises(EdgeGateError) as caught:
        import_pack(source, models_dir, accepted=True)
    line = str(caught.value)
    assert line.isprintable()
    assert "; " in line
    return line


def compressed(path: Path) -> None:
    path.write_bytes(gzip.compress(path.read_bytes()))


def text(path: Path) -> None:
    path.write_text("<html>")


def sparse(path: Path) -> None:
    """A member of a few bytes that stands for gigabytes of zeros (GNU's sparse format)."""
    info = tarfile.TarInfo("small/recogniser.onnx")
    info.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (0, 0)
    header[483:495] = b"%011o\0" % (1 << 32)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path.write_bytes(bytes(header) + path.read_bytes())


def huge(path: Path) -> None:
    """An extended header that claims, and has, a gigabyte: it would be read into memory in one piece."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    path.write_bytes(info.tobuf(tarfile.USTAR_FORMAT))
    os.truncate(path, (1 << 30) + 4096)


def nested(path: Path) -> None:
    """Long names for long names for long names …"""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1
    path.write_bytes((info.tobuf(tarfile.GNU_FORMAT) + bytes(512)) * 20_000)


BROKEN: dict[str, Callable[[Path], None]] = {
    "compressed": compressed,
    "cut in a model": lambda path: os.truncate(path, 100_000),
    "cut in a header": lambda path: os.truncate(path, 700),
    "empty": lambda path: os.truncate(path, 0),
    "text": text,
    "sparse": sparse,
    "a header of a gigabyte": huge,
    "endless names": nested,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_archive_is_refused(tmp_path: Path, kind: str) -> None:
    """In one line, and without reading it into memory."""
    path = archive(tmp_path / "small.tar")
    BROKEN[kind](path)
    tracemalloc.start()
    try:
        line = not_imported(path, tmp_path / "models")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(path) in line
    assert most < 20e6
    assert ["small.tar"] == [each.name for each in tmp_path.iterdir()]


def test_an_archive_made_by_hand(tmp_path: Path) -> None:
    """By `tar cf`, from within the folder or around it, with entries for folders."""
    folder(tmp_path / "small")
    for number, command in enumerate((["-C", tmp_path, "small"], ["-C", tmp_path / "small", "."])):
        path = tmp_path / f"{number}.tar"
        subprocess.run(["tar", "cf", path, *map(str, command)], check=True)
        import_pack(path, tmp_path / f"models{number}", accepted=False).verify()


@pytest.mark.parametrize("name", ["auto", "dlib", "fake"])
def test_a_name_that_is_taken(tmp_path: Path, name: str) -> None:
    """It could never be chosen, or would pass for another."""
    folder(tmp_path / "source", name=name)
    assert f"is called `{name}`, a name that is taken" in not_imported(tmp_path / "source", tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_manifest_that_lies_elsewhere(tmp_path: Path) -> None:
    """A link is no manifest either, wherever it leads."""
    source = folder(tmp_path / "source")
    (source / "pack.yaml").rename(tmp_path / "elsewhere")
    (source / "pack.yaml").symlink_to(tmp_path / "elsewhere")
    assert f"{source / 'pack.yaml'}: is a link; " in not_imported(source, tmp_path / "models")
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_folder_with_something_else(tmp_path: Path, kind: str) -> None:
    """A link out of the folder, a pipe that never ends, a folder of that name: refused, not waited for."""
    model = folder(tmp_path / "source") / "recogniser.onnx"
    model.unlink()
    match kind:
        case "link":
            (tmp_path / "elsewhere").write_bytes(FILES["recogniser.onnx"])
            model.symlink_to(tmp_path / "elsewhere")
        case "pipe":
            os.mkfifo(model)
        case _:
            model.mkdir()
    assert f"{model}: " in not_imported(tmp_path / "source", tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_licence_is_accepted_first(tmp_path: Path) -> None:
    """From a stick as from the net: weights that are not free for every use need a word."""
    folder(tmp_path / "source", licence={"detector": "D", "recogniser": "for research only"})
    with pytest.raises(EdgeGateError, match="is not free for every use: detector D, recogniser for research only; "):
        import_pack(tmp_path / "source", tmp_path / "models", accepted=False)
    assert not (tmp_path / "models").exists()
    import_pack(tmp_path / "source", tmp_path / "models", accepted=True).verify()
