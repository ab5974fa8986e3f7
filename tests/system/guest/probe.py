"""Whether the machine's parts do what the tests of the product take for granted. Run in the guest by `../probe`."""

from __future__ import annotations

import fcntl
import struct
import subprocess
import unittest
from hashlib import sha256
from pathlib import Path

from .parts import Camera, Chip, Reader, properties, run, wait_for

EVENT = struct.Struct("llHHi")
EVIOCGRAB = 0x40044590
KEY, ENTER, SHIFT = 1, 28, 42
CODES = dict(zip("1234567890-=", range(2, 14), strict=True))
CODES |= dict(zip("QWERTYUIOP", range(16, 26), strict=True)) | dict(zip("ASDFGHJKL;", range(30, 40), strict=True))
CODES |= dict(zip("ZXCVBNM,./ ", [*range(44, 54), 57], strict=True))
SHIFTED = {"$": "4", "%": "5", "*": "8", "+": "=", ":": ";"}
BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


class TheChip(unittest.TestCase):
    """Pins are seen and pressed."""

    def test_outputs_and_inputs(self) -> None:
        chip = Chip()
        chip.plug()
        with chip.watch([17, 22]) as watch:
            command = ["timeout", "1", "gpioset", "--mode=signal", chip.device, "17=1", "22=0"]
            with subprocess.Popen(command):
                wait_for(lambda: watch.ever(17), 5, "line 17 high")
        self.assertFalse(watch.ever(22))

        chip.pull(24, high=True)
        self.assertEqual("1", run("gpioget", chip.device, "24").strip())
        command = ["gpiomon", "--num-events=2", "--format=%e", chip.device, "24"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="ascii") as monitor:
            wait_for(lambda: "used" in run("gpioinfo", chip.device).splitlines()[25], 5, "gpiomon holds line 24")
            chip.press(24)
            self.assertEqual(["0", "1"], monitor.communicate(timeout=10)[0].split())

    def test_unplugged_while_in_use(self) -> None:
        chip = Chip()
        chip.plug()
        with subprocess.Popen(["gpioset", "--mode=signal", chip.device, "5=1"]) as holder:
            wait_for(lambda: chip.value(5), 5, "line 5 high")
            chip.unplug()
            self.assertFalse(Path("/dev/gpiochip0").exists())
            holder.kill()
        chip.plug()


class TheReader(unittest.TestCase):
    """Every character of a badge arrives, also after it was pulled out."""

    def test_types_and_unplugs(self) -> None:
        reader = Reader().make()
        for _ in range(2):
            reader.plug()
            with reader.path.open("rb", buffering=0) as device:
                fcntl.ioctl(device, EVIOCGRAB, 1)
                reader.type("EG1:" + BASE45 * 4)
                self.assertEqual(self._strokes("EG1:" + BASE45 * 4), self._pressed(device.fileno()))
                reader.unplug()
                with self.assertRaises(OSError):
                    device.read(EVENT.size)

    def _pressed(self, device: int) -> list[int]:
        keys: list[int] = []
        while ENTER not in keys:
            with open(device, "rb", buffering=0, closefd=False) as file:
                events = file.read(64 * EVENT.size)
            keys += [code for _, _, kind, code, value in EVENT.iter_unpack(events) if kind == KEY and value == 1]
        return keys

    def _strokes(self, text: str) -> list[int]:
        strokes = [
            ([SHIFT] if key in SHIFTED or key.isalpha() else []) + [CODES[SHIFTED.get(key, key)]] for key in text
        ]
        return [code for stroke in strokes for code in stroke] + [ENTER]


class TheCamera(unittest.TestCase):
    """It shows what it is told, in both formats, and can be pulled out of a program's hands."""

    def setUp(self) -> None:
        folder = Path("/tmp/pictures")
        folder.mkdir(exist_ok=True)
        for name, level in (("grey", 90), ("black", 10)):
            for variant in range(3):
                (folder / f"{name}{variant}.yuyv").write_bytes(bytes([level + variant, 128]) * 640 * 480)
                # Any bytes do for the driver: it does not look into a JPEG.
                (folder / f"{name}{variant}.jpg").write_bytes(bytes([level + variant]) * 30_000)
        self.camera = Camera().make(str(folder / "grey"))
        self.camera.plug()

    def tearDown(self) -> None:
        self.camera.unplug()

    def frames(self, pixels: str, count: int) -> list[bytes]:
        """The first byte and the hash of frames, as v4l2-ctl gets them."""
        run(
            *("timeout", "30", "v4l2-ctl", "--device", str(self.camera.path), "--stream-mmap"),
            *(f"--set-fmt-video=pixelformat={pixels}", f"--stream-count={count}", "--stream-to=/tmp/frames"),
        )
        data = Path("/tmp/frames").read_bytes()
        size = len(data) // count
        return [data[at : at + 1] + sha256(data[at : at + size]).digest() for at in range(0, len(data), size)]

    def test_shows_freezes_and_goes_on(self) -> None:
        for pixels in ("MJPG", "YUYV"):
            with self.subTest(pixels):
                self.camera.show("/tmp/pictures/grey")
                self.assertEqual(3, len(set(self.frames(pixels, 6))))
                self.camera.freeze()
                self.assertEqual(1, len(set(self.frames(pixels, 6))))
                self.camera.show("/tmp/pictures/black")
                self.assertLessEqual({10, 11, 12}, {frame[0] for frame in self.frames(pixels, 6)})

    def test_stalls(self) -> None:
        self.camera.stall()
        with self.assertRaises(subprocess.CalledProcessError):
            run("timeout", "3", "v4l2-ctl", "--device", str(self.camera.path), "--stream-mmap", "--stream-count=1")
        self.camera.go()
        self.assertEqual(1, len(self.frames("YUYV", 1)))

    def test_unplugged_while_in_use(self) -> None:
        command = ["timeout", "30", "v4l2-ctl", "--device", str(self.camera.path), "--stream-mmap"]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as viewer:
            assert viewer.stderr is not None
            viewer.stderr.read(1)  # it marks each frame
            self.camera.unplug()
            self.assertIn(b"VIDIOC_DQBUF: failed", viewer.communicate(timeout=10)[1])
        self.camera.plug()
        self.assertEqual(1, len(self.frames("YUYV", 1)))


class TheSystem(unittest.TestCase):
    """Systemd is the real one."""

    def test_all_units_are_well(self) -> None:
        self.assertEqual("", run("systemctl", "--failed", "--plain", "--no-legend"))
        self.assertEqual("active", properties("systemd-journald", "ActiveState")["ActiveState"])

    def test_watchdog_device(self) -> None:
        run("modprobe", "softdog")
        self.assertTrue(Path("/dev/watchdog").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
