#!/bin/sh
# From a sentence to a verdict on flashed virtual boards, then what there is to know about it.
# In a terminal inside the console, without one as lines of progress.
set -u
cd "$(dirname "$0")/../.."

if [ -t 0 ] && [ -t 1 ]; then
    ./benchline --demo
else
    ./benchline run --demo
fi
code=$?

session=$(./benchline sessions --limit 1 --json 2>/dev/null |
    sed -n 's|.*"name": *"sessions/\([a-z0-9]\{12\}\)[a-z0-9]*".*|\1|p')
data=${BENCHLINE_DATA_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/benchline}
cat >&2 <<END

still running  a control plane, a bench agent and two virtual boards
stop them      ./benchline down
the evidence   ./benchline show ${session:-SESSION}
               stored in $data
next           ./benchline run --examples     sentences that work
               ./benchline run "Count button presses and print the count"
               ./benchline                    the console, in a terminal
END
exit "$code"
