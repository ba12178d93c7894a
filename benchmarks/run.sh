#!/bin/sh
# What `make bench` runs: first the decision by itself, then the whole router beside its peers. Options: run.sh --help
set -eu
cd "$(dirname "$0")/.."
exec .venv/bin/python -m benchmarks.gateway "$@"
