#!/bin/sh
# Install the Debian packages of a purpose that are missing: packages.sh demo|test
# Says what and how much first. Without root or sudo it prints the one line to run and exits 1.
set -eu
purpose=${1:?demo or test}

# What turns sentences into proved firmware.
wanted="python3-venv gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm bubblewrap"
wanted="$wanted gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf"
# The broker of the local device cloud. Only its program is used; Debian also starts it on localhost:1883.
wanted="$wanted mosquitto"
# What the tests need besides: a terminal to drive the console in, a host compiler, a Node client, a
# database server.
if [ "$purpose" = test ]; then
    wanted="$wanted tmux g++ git nodejs npm postgresql"
fi

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

# What a package is wanted for; where that is present the package need not be.
provided() {
    case $1 in
    python3-venv) python3 -c 'import ensurepip, venv' 2>/dev/null ;;
    g++ | git | npm | tmux) command -v "$1" >/dev/null ;;
    nodejs) command -v node >/dev/null ;;
    mosquitto) [ -x /usr/sbin/mosquitto ] || command -v mosquitto >/dev/null ;;
    postgresql) ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ;;
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

hand_over() {
    echo "benchline: some packages are missing. As root, run:" >&2
    echo "  apt-get update && apt-get install --no-install-recommends$missing" >&2
    exit 1
}
sudo=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || hand_over
    sudo="sudo"
    # A password can be asked for in a terminal only.
    sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; } || hand_over
fi

# Lists that are missing or older than the packages make the size unknown and the install fail.
echo "benchline: reading the lists of apt"
$sudo apt-get update -qq
echo "benchline: installing with apt:$missing"
# shellcheck disable=SC2086
$sudo env LC_ALL=C apt-get install --no-install-recommends --assume-no $missing 2>/dev/null |
    sed -n 's/^\(Need to get\|After this operation\)/    &/p' || true
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o Dpkg::Use-Pty=0 $missing >/dev/null
