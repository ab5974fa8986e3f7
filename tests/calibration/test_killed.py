"""Processes that embed pictures end with the command, also when nobody can tell them to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2

from tests.calibration.kit import square
from tests.conftest import ROOT

CODE = """
import sys, time
from pathlib import Path
from edgegate.calibration.embed import embed_all
from edgegate.faces.fake_engine import FAKE_PACK
from tests.calibration.kit import load_fake

if __name__ == "__main__":
    paths = [Path(sys.argv[1])] * 4
    for _ in embed_all(paths, FAKE_PACK, load_fake, 2):
        print("embedded", flush=True)
        time.sleep(60)
"""


def test_nobody_stays_when_the_command_is_killed(tmp_path: Path) -> None:
    """As memory runs out, above all: the system kills one process, and the others must not keep theirs."""
    (tmp_path / "work.py").write_text(CODE)
    cv2.imwrite(str(tmp_path / "ana.png"), square("ana"))
    with subprocess.Popen(
        [sys.executable, tmp_path / "work.py", tmp_path / "ana.png"],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as parent:
        assert parent.stdout is not None
        assert b"embedded\n" == parent.stdout.readline()
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        parent.send_signal(signal.SIGKILL)
    assert len(children) >= 2
    until = time.monotonic() + 10
    while left := [child for child in children if _runs(child)]:
        assert time.monotonic() < until, left
        time.sleep(0.05)


def _runs(child: str) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{child}/stat").read_text()
    except OSError:
        return False
