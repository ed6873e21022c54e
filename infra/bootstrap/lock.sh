#!/bin/sh
# Renew the hash-locked requirements for every Python from 3.11 on. Needs uv.
set -eu
cd "$(dirname "$0")/../.."
lock() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-annotate --no-header "$@"
}
everything="--extra agent --extra virtual --extra server --extra console"
# What developing needs is locked first: the others take its versions, so that the tests run what users run.
# shellcheck disable=SC2086
lock pyproject.toml $everything --extra terraform --extra wokwi --group dev -o requirements/dev.txt
# shellcheck disable=SC2086
lock pyproject.toml $everything -c requirements/dev.txt -o requirements/run.txt
lock pyproject.toml --extra agent -c requirements/dev.txt -o requirements/agent.txt
lock --group build -o requirements/build.txt
