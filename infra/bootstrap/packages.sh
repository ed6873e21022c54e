#!/bin/sh
# Install the Debian packages of a purpose that are missing: packages.sh demo|test
# Says what and how much first. Without root or sudo it prints the one line to run and exits 1.
set -eu
purpose=${1:?demo or test}

# What turns sentences into proved firmware.
wanted="python3-venv gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm bubblewrap"
# What the tests need besides: a terminal to drive the console in, a host compiler, a Node client.
if [ "$purpose" = test ]; then
    wanted="$wanted tmux g++ git"
    command -v node >/dev/null || wanted="$wanted nodejs"
    command -v npm >/dev/null || wanted="$wanted npm"
fi

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

# The program that a package is wanted for; present means that the package need not be.
provided() {
    case $1 in
    python3-venv) python3 -c 'import ensurepip, venv' 2>/dev/null ;;
    g++) command -v g++ >/dev/null ;;
    git) command -v git >/dev/null ;;
    *) installed "$1" ;;
    esac
}

missing=""
for package in $wanted; do
    provided "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "benchline: these are missing and this system has no apt-get:$missing" >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
    sudo=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    sudo="sudo"
elif command -v sudo >/dev/null && [ -t 0 ]; then
    sudo="sudo"
else
    echo "benchline: some packages are missing. As root, run:" >&2
    echo "  apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
# Lists that are missing or older than the packages make the size unknown and the install fail.
$sudo apt-get update -qq
echo "benchline: installing with apt:$missing"
# shellcheck disable=SC2086
LC_ALL=C apt-get install --no-install-recommends --assume-no $missing 2>/dev/null |
    grep -E '^(Need to get|After this operation)' || true
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o Dpkg::Use-Pty=0 $missing >/dev/null
