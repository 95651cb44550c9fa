# setup: what the full test needs beyond Rust and a C compiler · test: everything · lint · bench · regress · fuzz
.PHONY: setup test lint bench regress doc loom fuzz

CARGO ?= cargo
DATA := $(or $(AFFERENT_DATA),../shared/data)
# ONNX Runtime, where `setup` has put it, unless somebody says where it is.
ORT = $(or $(ORT_DYLIB_PATH),$(shell ls $(CURDIR)/target/onnxruntime/onnxruntime/capi/libonnxruntime.so.* 2>/dev/null | head -1))
# What is not in the default build, since it needs more than Rust and a C compiler, where `setup` could install that.
# Looked at when it is used, as `setup` may just have done so; for sound, systems other than Linux need nothing.
SPEECH = $(shell command -v cmake 2>/dev/null)
SOUND = $(shell test "$$(uname -s)" != Linux || pkg-config --exists alsa 2>/dev/null && echo yes)
FEATURES = $(if $(SPEECH),whisper) $(if $(SOUND),microphone)
WITH = $(if $(strip $(FEATURES)),--features "$(strip $(FEATURES))")
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
DENY := $(shell $(CARGO) deny --version >/dev/null 2>&1 && echo yes)

# The loom models and the suite are built with the test profile; one target folder for all. The
# suite runs the program and the examples, so these come first. All of these name the whole workspace: of a package alone
# dependencies have other features, and everything above tokio would be built once more.
test: setup lint doc
	$(CARGO) build --profile test --workspace --locked $(WITH) --bins --examples
ifeq ($(NEXTEST),yes)
	ORT_DYLIB_PATH="$(ORT)" $(CARGO) nextest run --workspace --locked --no-fail-fast $(WITH)
else
	ORT_DYLIB_PATH="$(ORT)" $(CARGO) test --workspace --locked $(WITH) --no-fail-fast --lib --bins --tests
endif
	$(CARGO) test --workspace --locked $(WITH) --doc
	$(MAKE) loom
	$(CARGO) bench --profile test --workspace --locked $(WITH) --bench '*' -- --test
	@test -e "$(DATA)/README.md" || echo "test: SKIPPED all tests on recordings:" \
	    "there is no test data at $(DATA); set AFFERENT_DATA" >&2
	@test -n "$(ORT)" || echo "test: SKIPPED the comparison with ONNX Runtime:" \
	    "it is not there; set ORT_DYLIB_PATH to its library" >&2
	@test -n "$(SOUND)" || echo "test: SKIPPED sound cards, neither built nor tested:" \
	    "there is no pkg-config with ALSA's headers; apt-get install pkg-config libasound2-dev" >&2
	@command -v redis-server >/dev/null || echo "test: SKIPPED the tests on Redis:" \
	    "there is no redis-server" >&2
	@command -v chromedriver >/dev/null || echo "test: SKIPPED the page of --web in a browser:" \
	    "there is no Chromium with its driver; apt-get install chromium chromium-driver" >&2
	@test -n "$(SPEECH)" || echo "test: SKIPPED speech to text:" \
	    "the feature \`whisper\` needs cmake" >&2
	@test -n "$$AFFERENT_WHISPER_MODEL" || echo "test: SKIPPED words of recordings:" \
	    "no model of speech at hand; set AFFERENT_WHISPER_MODEL" >&2
	@test -n "$$AFFERENT_PYTHON" || target/python/bin/python -c "import onnx, onnxruntime" 2>/dev/null || \
	    echo "test: SKIPPED quantising models: no Python with onnx and onnxruntime; set AFFERENT_PYTHON" >&2
	@for python in $$AFFERENT_PYTHON target/python/bin/python python3; do \
	    $$python -c "import jsonschema" 2>/dev/null && exit 0; done; \
	    echo "test: SKIPPED graphs judged by the JSON Schema: no Python with jsonschema; set AFFERENT_PYTHON" >&2

setup:
	@sh tests/setup.sh

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(if $(WITH),$(CARGO) clippy --workspace --all-targets --locked $(WITH) -- -D warnings)
ifeq ($(DENY),yes)
	$(CARGO) deny --locked check licenses bans sources
else
	@echo "lint: cargo-deny is not installed; licences and sources (deny.toml) go unchecked" >&2
endif

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked $(WITH)

# Model tests of hand-made lock-free code: all interleavings up to three preemptions.
loom:
	RUSTFLAGS="--cfg loom" $(CARGO) test -p afferent-engine --locked --profile test --lib \
	    --target-dir target/loom -- model

# What comes from outside, damaged by seeds: a short look is part of `test`, this is a long one.
# AFFERENT_SEEDS says how many times as long; 100 takes some five minutes on one core. Speech is then understood
# 20 000 times, which must leave nothing behind, in some ten minutes; two hosts are killed 100 times and cut off for 30 s, which takes two
# minutes more.
fuzz:
	AFFERENT_SEEDS=$(or $(AFFERENT_SEEDS),100) $(CARGO) test -p afferent-link --locked --profile test \
	    --test fuzz
	AFFERENT_SEEDS=$(or $(AFFERENT_SEEDS),100) $(CARGO) test -p afferent-link --locked --profile test \
	    --lib -- pairing::tests::seeds damage_that_nothing_below_discards
	AFFERENT_DECODES=20000 $(CARGO) test -p afferent-suite --locked --profile test $(WITH) --test speech -- \
	    --nocapture decodes_leak_nothing
	$(CARGO) build --profile test --locked -p afferent-cli
	AFFERENT_SEEDS=20 $(CARGO) test -p afferent-suite --locked --profile test --test cli -- \
	    --nocapture --test-threads 1 durable

# The tables of benches/README.md.
bench:
	$(CARGO) bench --locked $(WITH) -p afferent-suite

# Whether the working tree is slower than a commit: `make regress BASE=HEAD~1`. PAIRS=n limits the pairs of runs of a case,
# CASES="join start" chooses cases, PROFILE=test builds sooner than what ships, JSON=file keeps everything, SEED=n runs
# in the same order again. benches/README.md says what is promised.
regress:
	@test -n "$(BASE)" || { echo "regress: BASE is missing" >&2; \
	    echo "  hint: name the commit to compare with: make regress BASE=HEAD~1" >&2; exit 2; }
	@$(CARGO) run --quiet --profile test --locked -p afferent-regress -- --base "$(BASE)" --cases "$(CASES)" \
	    $(if $(PAIRS),--pairs "$(PAIRS)") $(if $(PROFILE),--profile "$(PROFILE)") \
	    $(if $(JSON),--json "$(JSON)") $(if $(SEED),--seed "$(SEED)")
