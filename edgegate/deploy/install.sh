#!/bin/sh
# Installs EdgeGate from this folder, without internet: sudo sh install [options of `edgegate service install`]
set -eu
cd "$(dirname "$0")"
stop() { echo "install: $1; $2" >&2; exit 2; }

[ "$(id -u)" = 0 ] || stop "only root may do this" "run: sudo sh install"
[ -f /etc/debian_version ] || stop "this is not Debian, Raspberry Pi OS or Ubuntu" "install from a checkout: docs/deploy.md"
command -v python3 >/dev/null || stop "python3 is missing" "run: apt-get install python3"
version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
[ "$version" = 3.11 ] || stop "these wheels are for Python 3.11, this machine has $version" \
    "use Debian 12 or Raspberry Pi OS bookworm, or install from a checkout with internet: docs/deploy.md"
case "$(uname -m)" in
    x86_64 | aarch64) ;;
    *) stop "no wheels for $(uname -m)" "use a 64-bit system" ;;
esac
echo "checking the files ..."
sha256sum --quiet --check SHA256SUMS >&2 || stop "a file is damaged" "copy the bundle again"

# Our wheel installs itself: its installer needs nothing but Python.
set -- --wheels "$PWD" "$@"
PYTHONPATH=$(echo "$PWD"/wheels/edgegate-*.whl) exec python3 -s -B -P -m edgegate.deploy install "$@"
