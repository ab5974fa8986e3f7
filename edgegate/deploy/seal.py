"""The site secret, encrypted so that only this device opens it: by its TPM, where there is one.

systemd-creds(1) does it. The plain file goes only after the encrypted one was opened again and held the same. No PCR
is named: a firmware update must not lock a school out of its own vault; what is kept out is whoever takes the disk.
"""

from __future__ import annotations

from pathlib import Path

from edgegate.deploy import assets
from edgegate.deploy.host import Host, write
from edgegate.errors import EdgeGateError

NAME = "site.key"
PLAIN = "/etc/edgegate/site.key"
SEALED = "/etc/edgegate/site.key.cred"
KEYS = {"tpm2": ("--with-key=tpm2", "--tpm2-pcrs="), "host": ("--with-key=host",)}
"""How systemd-creds seals; `host` uses a key on the same disk, and is for trying it out."""
_DROP_IN = f"""# Written by `edgegate service install`: the site secret is sealed.
[Service]
LoadCredential=
LoadCredential=device.key:/etc/edgegate/device.key
LoadCredentialEncrypted={NAME}:{SEALED}
"""


def there(host: Host) -> bool:
    """Is there a site secret, plain or sealed?"""
    return host.path(PLAIN).exists() or host.path(SEALED).exists()


def key_for(host: Host, wanted: str) -> str:
    """`tpm2`, `host` or `no`; `auto` takes the TPM where there is a whole one."""
    if wanted != "auto":
        return wanted
    try:
        done = host.attempt("systemd-creds", "has-tpm2") if host.live else None
    except EdgeGateError:
        done = None  # a systemd before 250 has no such program
    return "tpm2" if done is not None and done.returncode == 0 else "no"


def seal(host: Host, key: str) -> list[str]:
    """Seal the plain secret if there is one, and point the unit at the sealed one. Returns what changed."""
    plain, sealed, drop_in = host.path(PLAIN), host.path(SEALED), host.path(assets.SEALED)
    if plain.exists() and key in KEYS:
        _encrypt(host, plain, sealed, KEYS[key])
    if sealed.exists() and not plain.exists():
        return [assets.SEALED] if write(drop_in, _DROP_IN) else []
    if drop_in.exists():
        drop_in.unlink()
        return [assets.SEALED]
    return []


def _encrypt(host: Host, plain: Path, sealed: Path, options: tuple[str, ...]) -> None:
    host.run("systemd-creds", "encrypt", f"--name={NAME}", *options, plain, sealed)
    sealed.chmod(0o600)
    if host.run("systemd-creds", "decrypt", f"--name={NAME}", sealed, "-") != plain.read_text("ascii"):
        sealed.unlink()
        raise EdgeGateError("did not open again after it was sealed; the plain file stays", where=str(sealed))
    plain.unlink()
