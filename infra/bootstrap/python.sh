#!/bin/sh
# Make or renew .venv from hash-locked requirements: python.sh run|dev
set -eu
flavour=${1:?run or dev}
venv=.venv
lock=requirements/$flavour.txt
stamp=$venv/.installed-$flavour

python=""
for candidate in python3 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null &&
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "benchline: Python 3.11 or newer is needed, and no python3 of that age was found" >&2
    exit 1
fi

fingerprint=$(cat "$lock" requirements/build.txt pyproject.toml | sha256sum | cut -d' ' -f1)
if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$fingerprint" ]; then
    exit 0
fi
# dev holds everything that run does, at the same versions.
if [ "$flavour" = run ] && [ -e "$venv/.installed-dev" ] &&
    [ "$(cat "$venv/.installed-dev")" = "$(cat requirements/dev.txt requirements/build.txt pyproject.toml | sha256sum | cut -d' ' -f1)" ]; then
    exit 0
fi

echo "benchline: installing Python packages into $venv (about $( [ "$flavour" = dev ] && echo 750 || echo 345) MB)"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip="$venv/bin/python -m pip --quiet --disable-pip-version-check --no-input"
$pip install --require-hashes -r requirements/build.txt
$pip install --require-hashes --no-build-isolation -r "$lock"
$pip install --no-deps --no-build-isolation --editable .
printf '%s' "$fingerprint" >"$stamp"
