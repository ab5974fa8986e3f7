"""The gate at work, through systemd, on real parts: one machine, in the order of a long day.

What lights, the chip says; what was decided, the journal; how the gate is, systemd. Limits are generous because the
machine is emulated: what is tested is what happens, not how fast.
"""

from __future__ import annotations

import json
from typing import Any

from tests.system.conftest import Gate
from tests.system.vm import Guest

LIMIT_S = 420


def act(guest: Guest, source: str) -> Any:
    """Run Python in the guest; it prints JSON on its last line, or nothing."""
    answer = guest.run(
        f"cd /opt/machine && python3 - <<'END'\nfrom guest.hands import *\n{source}\nEND", timeout_s=LIMIT_S
    )
    last = answer.output.strip().rpartition("\n")[2]
    return json.loads(last) if last.startswith(("{", "[", '"')) else None


def test_boot_to_ready(guest: Guest) -> None:
    """Switched on, nothing else: the service starts by itself, finds its parts, and is READY with all lamps dark."""
    said = act(guest, "until('READY'); print(json.dumps([properties(UNIT, 'ActiveState')['ActiveState'], lamps()]))")
    assert ["active", dict.fromkeys(("green", "amber", "red", "buzzer"), False)] == said


def test_a_volunteer_gets_green(guest: Guest) -> None:
    """Badge and face before the camera, compared by the embedded pack: the green wire, and no other, is on."""
    act(
        guest,
        """
before = newest()
with chip.watch(LAMPS.values()) as watch:
    show("ana")
    decided(before, "granted", "match")
    wait_for(lambda: chip.value(LAMPS["green"]), 5, "the green lamp")
    assert lamps() | {"buzzer": False} == {"green": True, "amber": False, "red": False, "buzzer": False}, lamps()
    show("hall")
    wait_for(lambda: not chip.value(LAMPS["green"]), 60, "the green lamp out")
assert watch.ever(LAMPS["buzzer"]), "no chirp"
assert not watch.ever(LAMPS["red"])
""",
    )


def test_a_stolen_badge_gets_red_and_the_buzzer(guest: Guest) -> None:
    """The volunteer's badge with another face: red and buzzer, until the supervisor's button silences both."""
    act(
        guest,
        """
before = newest()
with chip.watch(LAMPS.values()) as watch:
    show("thief")
    decided(before, "alarm", "no_match")
    show("hall")
    wait_for(lambda: watch.ever(LAMPS["red"]) and watch.ever(LAMPS["buzzer"]), 10, "red and buzzer")
    assert not watch.ever(LAMPS["green"])
chip.press(ACKNOWLEDGE, 1.0)
wait_for(lambda: not any(lamps().values()), 20, "all lamps out")
time.sleep(1)
assert not any(lamps().values()), lamps()
""",
    )


def test_badges_typed_by_the_usb_reader(guest: Guest, gate: Gate) -> None:
    """A diary badge is amber, and the diary button makes it green; a revoked badge is red and buzzer."""
    act(
        guest,
        f"""
before = newest()
reader.type({gate.texts["dan"]!r})
decided(before, "refer", "not_enrolled")
wait_for(lambda: lamps() == SAFE, 10, "amber alone")
chip.press(DIARY, 1.0)
decided(before, "granted", "supervisor")
wait_for(lambda: chip.value(LAMPS["green"]), 10, "the green lamp")
before = newest()
with chip.watch(LAMPS.values()) as watch:
    reader.type({gate.texts["eve"]!r})
    decided(before, "alarm", "revoked")
    wait_for(lambda: watch.ever(LAMPS["red"]) and watch.ever(LAMPS["buzzer"]), 10, "red and buzzer")
chip.press(ACKNOWLEDGE, 1.0)
wait_for(lambda: not any(lamps().values()), 20, "all lamps out")
""",
    )


def test_a_reader_pulled_out(guest: Guest, gate: Gate) -> None:
    """Amber and its name, one line in the system's journal each way, and it reads again when it is back."""
    act(
        guest,
        f"""
reader.unplug()
until("FAULT reader_lost")
wait_for(lambda: chip.value(LAMPS["amber"]), 5, "amber")
reader.plug()
until("READY")
before = newest()
reader.type({gate.texts["dan"]!r})
decided(before, "refer", "not_enrolled")
chip.press(ACKNOWLEDGE, 1.0)
lines = journal(UNIT, "EDGEGATE_FAULT=reader_lost")
assert len(lines) == 2, lines
""",
    )


def test_a_camera_pulled_out(guest: Guest, gate: Gate) -> None:
    """Amber within seconds; badges typed meanwhile are still judged; READY when it is back, under whatever number."""
    act(
        guest,
        f"""
camera.unplug()
took = until("FAULT camera_lost")
before = newest()
reader.type({gate.texts["eve"]!r})
decided(before, "alarm", "revoked")
chip.press(ACKNOWLEDGE, 1.0)
before = newest()
reader.type({gate.texts["ana"]!r})
decided(before, "refer", "out_of_order", "camera_lost")
chip.press(ACKNOWLEDGE, 1.0)
camera.plug()
until("READY")
lines = journal(UNIT, "EDGEGATE_FAULT=camera_lost")
assert len(lines) == 2, lines
""",
    )


def test_a_covered_lens_and_a_frozen_camera(guest: Guest) -> None:
    """Both have their name, and heal."""
    act(
        guest,
        """
show("dark")
until("FAULT camera_dark")
show("hall")
until("READY")
camera.freeze()
until("FAULT camera_stale")
camera.go()
until("READY")
""",
    )


def test_a_stopped_process_meets_the_watchdog(guest: Guest) -> None:
    """It is killed and started again; from the kill on, amber alone."""
    act(
        guest,
        """
show("ana")
wait_for(lambda: chip.value(LAMPS["green"]), PATIENCE_S, "the green lamp")
count = restarts()
kill(signal.SIGSTOP)
wait_for(lambda: properties(UNIT, "ActiveState", "SubState")["SubState"] != "running", PATIENCE_S, "the watchdog", 0.2)
show("hall")
wait_for(safe, 60, "safe outputs")
with chip.watch(LAMPS.values()) as watch:
    wait_for(lambda: restarts() > count and status().startswith("READY"), PATIENCE_S, "READY again", 0.2)
assert not watch.ever(LAMPS["green"]) and not watch.ever(LAMPS["red"]) and not watch.ever(LAMPS["buzzer"])
""",
    )


def test_kill_9(guest: Guest) -> None:
    """The same at once."""
    act(
        guest,
        """
count = restarts()
kill(signal.SIGKILL)
wait_for(safe, 60, "safe outputs")
wait_for(lambda: restarts() > count and status().startswith("READY"), PATIENCE_S, "READY again", 0.2)
""",
    )


def test_stopped_in_the_middle_of_a_presentation(guest: Guest, gate: Gate) -> None:
    """Safe at once and for as long as it is stopped; vault and journal are whole, and the next start is READY."""
    act(
        guest,
        f"""
show("alone")
before = newest()
reader.type({gate.texts["ana"]!r})
time.sleep(2)
run("systemctl", "stop", UNIT)
wait_for(safe, 20, "safe outputs")
time.sleep(2)
assert safe(), lamps()
show("hall")
run("edgegate", "journal", "verify")
run("edgegate", "enroll", "list")
run("systemctl", "start", UNIT)
until("READY")
""",
    )


def test_a_second_daemon_is_refused(guest: Guest) -> None:
    """In one line that names the lock; the first goes on."""
    said = act(
        guest,
        """
done = subprocess.run(["edgegate", "run"], capture_output=True, text=True)
assert done.returncode == 2, done
print(json.dumps(done.stderr.strip().splitlines()))
assert status().startswith("READY")
""",
    )
    assert 1 == len(said)
    assert "another EdgeGate runs this gate already" in said[0]


def test_the_sandbox_holds(guest: Guest) -> None:
    """From inside the unit: writes in its own two folders only, no network, its own devices, no core, no privilege."""
    said = act(guest, "from guest.inside import tell; print(json.dumps(tell()))")
    allowed = {name for name, outcome in said.items() if outcome == "done"}
    camera = "device /dev/v4l/by-id/usb-EdgeGate_Test_Camera_SN0001-video-index0"
    assert {
        *("write /var/lib/edgegate", "write /run/edgegate", "device /dev/gpiochip0", camera),
        *("socket AF_UNIX", "read credential"),
    } == allowed
    assert ("(0, 0)", "not root") == (said["core"], said["user"])


def test_the_memory_limit_holds(guest: Guest) -> None:
    """More than its share ends the process, and not the machine."""
    assert "oom-kill" == act(guest, "from guest.inside import greed; print(json.dumps(greed()))")
