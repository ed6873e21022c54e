#!/bin/sh
# From a sentence to verdicts on flashed virtual boards of two families, then what there is to know.
# In a terminal inside the console, without one as lines of progress.
set -u
cd "$(dirname "$0")/../.."

if [ -t 0 ] && [ -t 1 ]; then
    ./benchline --demo
    code=$?
else
    ./benchline run --demo
    code=$?
    if [ "$code" -eq 0 ]; then
        echo "
the same sentence on a board of the other family" >&2
        ./benchline run --demo --board esp32-c3-devkitm-1
        code=$?
    fi
fi

session=$(./benchline sessions --limit 1 --json 2>/dev/null |
    sed -n 's|.*"name": *"sessions/\([a-z0-9]\{12\}\)[a-z0-9]*".*|\1|p')
data=${BENCHLINE_DATA_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/benchline}
cat >&2 <<END

still running  a control plane, a bench agent and four virtual boards:
               two STM32F405, two ESP32-C3
stop them      ./benchline down
the evidence   ./benchline sessions, ./benchline show ${session:-SESSION}
               stored in $data
next           ./benchline run --examples     sentences that work
               ./benchline run "Count button presses and print the count"
               ./benchline boards             the bench
               ./benchline                    the console, in a terminal
END
exit "$code"
