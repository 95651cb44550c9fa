#!/bin/sh
# Installs what the full test needs and the machine lacks, where it may; else
# prints the one command that would.
set -eu

missing=""
command -v cc >/dev/null 2>&1 || missing="$missing gcc"

if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -qq
        # shellcheck disable=SC2086 # a list of packages
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing
    else
        echo "setup: please run: sudo apt-get install$missing" >&2
        exit 1
    fi
fi

for component in rustfmt clippy; do
    cargo "${component#rust}" --version >/dev/null 2>&1 || rustup component add "$component"
done

if ! cargo nextest --version >/dev/null 2>&1; then
    echo "setup: cargo-nextest is not installed; tests run under cargo test (cargo install cargo-nextest --locked)" >&2
fi
echo "setup: everything is there"
