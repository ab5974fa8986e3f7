"""The service's life, from the bundle and without network: installed, installed again, upgraded, gone back, purged.

In a container with systemd as its first process, at the host's own speed; what needs real parts is in test_gate.py.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system import product
from tests.system.conftest import ROOT
from tests.system.vm import build

CONFIG = """\
camera: {source: demo}
badges: {issuers: [/etc/edgegate/issuer.pub], readers: [{kind: qr, decoder: zxing}]}
faces: {models_dir: /var/lib/edgegate/models}
vault: {path: /var/lib/edgegate/vault.db, site_secret: /etc/edgegate/site.key}
journal: {path: /var/lib/edgegate/journal.db}
"""
STATUS = "systemctl show edgegate.service -p ActiveState -p StatusText --value"
TRACES = (
    "find / -xdev -name '*edgegate*' -not -path '/mnt/*' -not -path '/proc/*' -not -path '/var/log/*' "
    "-not -path '/tmp/*' -not -path '/run/*'"
)


def version(folder: Path, number: str, spoil: str = "") -> Path:
    """A wheel of this checkout with another version number; `spoil` is what its `run` does first."""
    source = folder / f"source-{number}"
    ignored = shutil.ignore_patterns("dist", "tests", "__pycache__", ".*")
    shutil.copytree(ROOT, source, ignore=ignored)
    init, run = source / "edgegate/__init__.py", source / "edgegate/cli/run.py"
    init.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{number}"', init.read_text("utf-8")), "utf-8")
    run.write_text(re.sub(r"(?m)^(def run\(.*)$", rf"\1\n    {spoil}", run.read_text("utf-8")), "utf-8")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "wheels"],
        cwd=source,
        check=True,
        capture_output=True,
    )
    return next((folder / "wheels").glob(f"edgegate-{number}-*.whl"))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Debian without the product, as a folder."""
    return product.copy_tree(build(), tmp_path_factory.mktemp("service") / "tree")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good version, and one whose daemon ends at once."""
    folder = tmp_path_factory.mktemp("versions")
    version(folder, "0.2.0", "pass")
    version(folder, "0.3.0", "raise SystemExit(3)")
    return folder / "wheels"


def test_install_and_again(tree: Path, bundle: Path, tmp_path: Path) -> None:
    """From the stick to READY; what is there already is not done twice."""
    (tmp_path / "config.yaml").write_text(CONFIG, "utf-8")
    said = product.in_container(
        tree,
        "sh /mnt/bundle/install\n"
        "install -m 640 -g edgegate /mnt/site/config.yaml /etc/edgegate/config.yaml\n"
        "edgegate issuer init --no-passphrase\n"
        f"edgegate service install\n{STATUS}\necho SECOND\nedgegate service install\nedgegate service status",
        {"bundle": bundle, "site": tmp_path},
    )
    first, _, second = said.partition("SECOND")
    assert "READY: Prêt.\nactive" in first
    assert "nothing to do" in second
    assert "written" not in second


def test_a_version_that_fails_goes_back(tree: Path, bundle: Path, wheels: Path) -> None:
    """A good version replaces the first; one that does not come to READY leaves the good one running."""
    said = product.in_container(
        tree,
        "until systemctl is-active --quiet edgegate; do sleep 0.2; done\n"
        "edgegate service upgrade --wheels /mnt/bundle --from /mnt/wheels/edgegate-0.2.0-*.whl\nedgegate --version\n"
        "if edgegate service upgrade --wheels /mnt/bundle --from /mnt/wheels/edgegate-0.3.0-*.whl --ready-within 20\n"
        f"then echo TAKEN; fi\nedgegate --version\n{STATUS}\nedgegate journal verify",
        {"bundle": bundle, "wheels": wheels},
    )
    assert 2 == said.count("edgegate 0.2.0\n")
    assert "TAKEN" not in said
    assert "READY: Prêt.\nactive" in said
    assert "the chain holds" in said


def test_purge_leaves_nothing(tree: Path, bundle: Path) -> None:
    """`uninstall` keeps keys and data; `--purge` leaves nothing of ours on the disk."""
    said = product.in_container(
        tree,
        "edgegate service uninstall\nls /etc/edgegate /var/lib/edgegate\n"
        "PYTHONPATH=$(echo /mnt/bundle/wheels/edgegate-*.whl) python3 -m edgegate.deploy uninstall --purge --yes\n"
        f"echo LEFT\n{TRACES}\nid edgegate || true",
        {"bundle": bundle},
    )
    kept, _, left = said.partition("LEFT")
    assert {"config.yaml", "issuer.pub", "site.key", "vault.db", "journal.db"} <= set(kept.split())
    assert "no such user" in left
    assert [] == [line for line in left.splitlines() if line.startswith("/")]
