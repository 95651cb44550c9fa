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

# The feature `whisper` builds whisper.cpp. Where that cannot be, its tests are left out, as `make test` says.
extra=""
command -v c++ >/dev/null 2>&1 || extra="$extra g++"
command -v cmake >/dev/null 2>&1 || extra="$extra cmake"
if [ -n "$extra" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        # shellcheck disable=SC2086 # a list of packages
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $extra; } ||
            echo "setup:$extra cannot be installed; the feature \`whisper\` will not be tested" >&2
    else
        echo "setup: for the feature \`whisper\`: sudo apt-get install$extra" >&2
    fi
fi

# The second level of caches is tested against a real Redis. Without it those tests say that they skip.
if ! command -v redis-server >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server; } ||
            echo "setup: redis-server cannot be installed; the tests on Redis will be skipped" >&2
    else
        echo "setup: for the tests on Redis: sudo apt-get install redis-server" >&2
    fi
fi

# `make regress` counts instructions with callgrind. Without it it times alone, and says so.
if ! command -v valgrind >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq valgrind; } ||
            echo "setup: valgrind cannot be installed; \`make regress\` will count no instructions" >&2
    else
        echo "setup: for \`make regress\`: sudo apt-get install valgrind" >&2
    fi
fi

# The feature `microphone` needs the headers of ALSA. Without them it is neither built nor tested, which is said.
if [ "$(uname -s)" = Linux ] && ! pkg-config --exists alsa 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        { apt-get update -qq &&
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq pkg-config libasound2-dev; } ||
            echo "setup: ALSA's headers cannot be installed; the feature microphone will be skipped" >&2
    else
        echo "setup: for the feature microphone: sudo apt-get install pkg-config libasound2-dev" >&2
    fi
fi

# The page of `--web` is tested in a browser. Without it those tests say that they skip.
if ! { command -v chromedriver && { command -v chromium || command -v google-chrome; }; } >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        { apt-get update -qq &&
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver; } ||
            echo "setup: Chromium cannot be installed; the page of --web will not be tested in it" >&2
    else
        echo "setup: for the page of --web: sudo apt-get install chromium chromium-driver" >&2
    fi
fi

for component in rustfmt clippy; do
    cargo "${component#rust}" --version >/dev/null 2>&1 && continue
    if command -v rustup >/dev/null 2>&1; then
        rustup component add "$component"
    else
        echo "setup: please install $component for this toolchain, or rustup (https://rustup.rs)" >&2
        exit 1
    fi
done

# ONNX Runtime, from its Python wheel: models are tried on it, too. Without it those tests say that
# they skip.
ort=target/onnxruntime
if [ -z "${ORT_DYLIB_PATH:-}" ] && [ ! -d "$ort/onnxruntime" ]; then
    if python3 -m pip --version >/dev/null 2>&1; then
        mkdir -p "$ort"
        if python3 -m pip download --quiet --no-deps --only-binary=:all: -d "$ort" onnxruntime; then
            (cd "$ort" && python3 -m zipfile -e onnxruntime-*.whl . && rm -f onnxruntime-*.whl)
        else
            echo "setup: ONNX Runtime cannot be fetched; set ORT_DYLIB_PATH to its library" >&2
        fi
    else
        echo "setup: without pip ONNX Runtime is not fetched; set ORT_DYLIB_PATH to its library" >&2
    fi
fi

# A Python that can quantise models and judge JSON by a schema. Without it those tests say that they skip.
python=target/python
if [ -z "${AFFERENT_PYTHON:-}" ] && ! "$python/bin/python" -c "import onnx, onnxruntime, jsonschema" 2>/dev/null; then
    if ! { python3 -m venv "$python" && "$python/bin/python" -m pip install --quiet onnx onnxruntime jsonschema; }; then
        echo "setup: no Python with onnx and onnxruntime; name one that has both in AFFERENT_PYTHON" >&2
    fi
fi

# What makes it quicker or checks more, and is done without where it is absent.
optional=""
cargo nextest --version >/dev/null 2>&1 || optional="$optional cargo-nextest"
cargo deny --version >/dev/null 2>&1 || optional="$optional cargo-deny"
if [ -n "$optional" ]; then
    echo "setup: everything needed is there; more with: cargo install --locked$optional"
else
    echo "setup: everything is there"
fi
