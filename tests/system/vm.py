"""A machine with real parts, driven from the host: boot it, run commands in it, cut its power, boot it again.

    machine = Machine(tmp_path / "gate", {"bundle": dist})
    with machine.boot() as guest:
        guest.run("/mnt/bundle/install", timeout_s=300)
        guest.cut()
    with machine.boot() as guest:
        answer = guest.run("systemctl is-active edgegate", check=False)

The machine is made by `build`, beside this file, and emulated by QEMU: no kernel module, no KVM, no network device.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

HERE = Path(__file__).parent
BOOT_S = 180.0
"""A boot takes 15 s, and was seen to take 90 on a machine with ten times too much to do. What is later, hangs."""
BOOTS = 3
GRACE_S = 60.0
"""How much longer than the guest's own time limit the host waits for an answer."""
POLL_S = 0.05
MEMORY_MB = 1536
KERNEL = "console=ttyS0 root=/dev/vda quiet mitigations=off audit=0 random.trust_cpu=on systemd.show_status=0 panic=-1"
"""`panic=-1`: reboot at once after a panic, which `-no-reboot` turns into the end of the process."""


class MachineFailed(Exception):
    """The machine, not what was tested in it: it did not boot, it died, or it went silent."""


class CommandFailed(Exception):
    """A command in the guest ended with another exit code than 0."""


@dataclass(frozen=True)
class Answer:
    """What a command in the guest gave: exit code (124: out of time), standard output and error together."""

    code: int
    output: str
    seconds: float


class Order:
    """A command that runs in the guest."""

    def __init__(self, guest: Guest, path: Path, timeout_s: float) -> None:
        self._guest, self._path, self._timeout_s = guest, path, timeout_s
        self._started = time.monotonic()

    @property
    def output(self) -> str:
        """What it wrote so far."""
        file = self._path.with_suffix(".out")
        return file.read_text("utf-8", "replace") if file.exists() else ""

    @property
    def done(self) -> bool:
        return self._path.with_suffix(".code").exists()

    def wait(self) -> Answer:
        """Wait for its end. Raises MachineFailed when the machine dies first."""
        limit = self._started + self._timeout_s + GRACE_S
        while not self.done:
            self._guest.alive()
            if time.monotonic() > limit:
                raise MachineFailed(f"no answer within {limit - self._started:.0f} s\n{self._guest.last_words}")
            time.sleep(POLL_S)
        code = int(self._path.with_suffix(".code").read_text("ascii"))
        return Answer(code, self.output, time.monotonic() - self._started)


class Guest:
    """A machine that is on."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, orders: IO[bytes]) -> None:
        self._process, self._folder, self._orders = process, folder, orders
        self._count = 0
        self.out = folder / "out"
        """What the guest writes to $OUT is here at once, and survives a power cut."""

    @property
    def console(self) -> str:
        """What the kernel said on its serial console."""
        return (self._folder / "console").read_text("utf-8", "replace")

    @property
    def last_words(self) -> str:
        """The console's end, and what the emulator itself complained about."""
        return self.console[-2000:] + (self._folder / "qemu").read_text("utf-8", "replace")

    @property
    def on(self) -> bool:
        return self._process.poll() is None

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until it takes orders; whether it does."""
        limit = time.monotonic() + timeout_s
        ready = self._folder / "ready"
        while not ready.exists() and self.on and time.monotonic() < limit:
            time.sleep(POLL_S)
        return ready.exists() and self.on

    def takes(self, script: str) -> bool:
        """Whether a script ends well within the time for a boot."""
        try:
            return self.run(script, timeout_s=BOOT_S, check=False).code == 0
        except MachineFailed:
            return False

    def alive(self) -> None:
        """Raises MachineFailed when the machine is off."""
        if not self.on:
            raise MachineFailed(f"the machine went off\n{self.last_words}")

    def start(self, script: str, *, timeout_s: float = 60.0) -> Order:
        """Begin a bash script, as root in /root, and return while it runs."""
        self.alive()
        self._count += 1
        path = self._folder / str(self._count)
        path.with_suffix(".sh").write_text(script, "utf-8")
        self._orders.write(f"{self._count} {timeout_s:.0f}\n".encode())
        self._orders.flush()
        return Order(self, path, timeout_s)

    def run(self, script: str, *, timeout_s: float = 60.0, check: bool = True) -> Answer:
        """Run a bash script to its end. With `check`, another exit code than 0 raises CommandFailed."""
        answer = self.start(script, timeout_s=timeout_s).wait()
        if check and answer.code != 0:
            raise CommandFailed(f"exit code {answer.code} from: {script}\n{answer.output}")
        return answer

    def python(self, source: str, *, timeout_s: float = 60.0, check: bool = True) -> Answer:
        """Run Python source with Debian's own interpreter; `guest.parts` can be imported in it."""
        self.alive()
        (self._folder / f"{self._count + 1}.py").write_text(source, "utf-8")
        call = f"PYTHONPATH=/mnt python3 /mnt/orders/{self._count + 1}.py"
        return self.run(call, timeout_s=timeout_s, check=check)

    def off(self, timeout_s: float = 60.0) -> None:
        """Shut down in good order: services stop, file systems are left clean."""
        self.start("systemctl --no-block poweroff", timeout_s=5)
        self.wait_off(timeout_s)

    def cut(self) -> None:
        """Cut the power, now. What the guest had not yet flushed to its disk is lost, as it would be."""
        self._process.kill()
        self._process.wait()
        with suppress(BrokenPipeError):
            self._orders.close()

    def wait_off(self, timeout_s: float = 60.0) -> None:
        """Wait until the machine has gone off by itself: shut down, rebooted by a watchdog, crashed."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise MachineFailed(f"still on after {timeout_s:.0f} s\n{self.last_words}") from None


class Machine:
    """One machine with a disk of its own, which keeps its changes from boot to boot.

    `folders` are seen in the guest as /mnt/<name>, read-only and without being copied; this folder's `guest` always
    is. `folder` holds the disk (a few MB at first) and, for each boot, the console, the orders and their output.
    """

    def __init__(
        self, folder: Path, folders: Mapping[str, Path] | None = None, disk: Path | None = None, whole: str = ""
    ) -> None:
        """`disk`: a raw image in place of the one without the product; it is never written to. `whole`: a script that
        ends well once all parts of the machine are there, which belongs to its boot."""
        self.folder = folder
        self._whole = whole
        self._folders = {"guest": HERE / "guest"} | dict(folders or {})
        self._made = build()
        self._boots = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._disk = folder / "disk.qcow2"
        if not self._disk.exists():
            base = disk or next((self._made / "disk").glob("*.img"))
            command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "raw", str(self._disk)]
            subprocess.run(command, check=True)

    def copy(self, folder: Path) -> Machine:
        """Another machine with the same disk as this one, which must be off: install once, break it many times."""
        folder.mkdir(parents=True)
        shutil.copyfile(self._disk, folder / "disk.qcow2")
        return Machine(folder, self._folders, whole=self._whole)

    @contextmanager
    def boot(self) -> Iterator[Guest]:
        """Switch it on; its power is cut at the end of the block unless it went off before."""
        guest = self._boot()
        try:
            yield guest
        finally:
            guest.cut()

    def _boot(self) -> Guest:
        """Until the guest takes orders and its parts are there. Emulated boots hang now and then for no reason of
        ours: try again. From a test's first order on nothing is repeated, or it could pass on its second attempt."""
        for attempt in range(1, BOOTS + 1):
            guest = self._switch_on()
            try:
                if guest.wait_ready(BOOT_S) and guest.takes(self._whole):
                    return guest
            except BaseException:  # an impatient person's Ctrl-C: leave no emulator behind
                guest.cut()
                raise
            guest.cut()
            print(f"boot {attempt} of {self.folder.name} failed", file=sys.stderr)
        raise MachineFailed(f"{BOOTS} boots failed; the last one's end:\n{guest.last_words}")

    def _switch_on(self) -> Guest:
        self._boots += 1
        folder = Path(tempfile.mkdtemp(prefix=f"boot{self._boots}-", dir=self.folder))
        (folder / "out").mkdir()
        (folder / "console").touch()
        made = self._made
        command = [
            "qemu-system-x86_64", "-nodefaults", "-no-reboot", "-display", "none", "-nic", "none", "-M", "q35",
            # One processor: with two, QEMU 7.2's emulation was seen to hang at boot. dlib's wheel wants AVX: "max".
            "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max",
            "-smp", "1", "-m", str(MEMORY_MB),
            "-kernel", str(made / "kernel" / "vmlinux"), "-initrd", str(made / "kernel" / "initrd.cpio"),
            "-append", KERNEL,
            # "unsafe" ignores flushes of the host's own disk: it is the guest's power that is cut, never the host's.
            "-drive", f"file={self._disk},format=qcow2,if=none,id=disk,cache=unsafe",
            "-device", "virtio-blk-pci,drive=disk", "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
            "-chardev", "stdio,id=orders,signal=off", "-device", "virtserialport,chardev=orders,name=orders",
            "-serial", f"file:{folder / 'console'}",
        ]  # fmt: skip
        for name, path, readonly in (
            ("orders", folder, "off"),
            *((name, path.resolve(), "on") for name, path in self._folders.items()),
        ):
            command += [
                "-virtfs",
                f"local,path={path},mount_tag={name},security_model=none,multidevs=remap,readonly={readonly}",
            ]
        with (folder / "qemu").open("wb") as errors:
            process = subprocess.Popen(
                ["nice", *command], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors
            )
        assert process.stdin is not None
        return Guest(process, folder, process.stdin)


def build() -> Path:
    """Where the machine's kernel and disk are; made first where they are missing or of another make."""
    made = subprocess.run([HERE / "build"], stdout=subprocess.PIPE, check=True)
    return Path(made.stdout.decode().strip())


def wait_for(condition: Callable[[], bool], timeout_s: float, what: str) -> float:
    """Seconds until the condition held. Raises TimeoutError with `what` when it never did."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > timeout_s:
            raise TimeoutError(f"not within {timeout_s:g} s: {what}")
        time.sleep(POLL_S)
    return time.monotonic() - started
