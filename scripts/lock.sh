#!/bin/sh
# Rewrites the hash-pinned locks from pyproject.toml, for every platform we support at once. Needs uv.
# usage: scripts/lock.sh [package ...]   (named packages are upgraded; without a name nothing moves that need not)
set -eu
cd "$(dirname "$0")/.."
upgrade=""
for package in "$@"; do upgrade="$upgrade --upgrade-package $package"; done
for set in demo dev; do
  extras="--extra demo"
  [ "$set" = dev ] && extras="--extra demo --extra dev"
  # shellcheck disable=SC2086
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
    $extras $upgrade pyproject.toml requirements/build.in --output-file "requirements/$set.txt"
done
