"""Power cuts at random moments: what was acknowledged is there, the stores are whole, and the gate is READY again."""

from __future__ import annotations

import json
import random
import time

from tests.system.conftest import SOAK, Gate
from tests.system.test_gate import act
from tests.system.vm import Machine

CUTS = 20 if SOAK else 3


def test_power_cuts(machine: Machine, gate: Gate) -> None:
    """Each boot finds every row that the boot before had acknowledged, in a chain that holds."""
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    acknowledged: list[list[object]] = []
    for cut in range(CUTS + 1):
        with machine.boot() as guest:
            found = act(guest, "until('READY'); print(json.dumps(rows()))")
            assert acknowledged == found[: len(acknowledged)], f"seed {seed}, after {cut} cuts"
            act(guest, 'run("edgegate", "journal", "verify"); assert vault_is_whole()')
            if cut == CUTS:
                return
            orders = guest.start(
                "cd /opt/machine && python3 -c '\n"
                "import sys\nfrom guest.hands import *\n"
                "while True:\n"
                f'    before = newest(); reader.type("{gate.texts["dan"]}")\n'
                '    decided(before, "refer", "not_enrolled"); print(json.dumps(rows()), flush=True)\n'
                "    chip.press(ACKNOWLEDGE, 0.5); time.sleep(0.5)\n'",
                timeout_s=300,
            )
            limit = time.monotonic() + 120
            while not orders.output.strip() and time.monotonic() < limit:
                time.sleep(0.1)
            time.sleep(dice.uniform(0.0, 8.0))
            lines = [line for line in orders.output.splitlines() if line.endswith("]]")]
            assert lines, orders.output
            acknowledged = json.loads(lines[-1])
            guest.cut()
