# setup: what the full test needs beyond Rust and a C compiler · test: everything · lint · bench
.PHONY: setup test lint bench doc loom

CARGO ?= cargo
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)

# The loom models and the suite are built with the test profile; one target folder for all.
test: setup lint doc
	$(CARGO) build --release --locked
	$(CARGO) build --profile test --locked -p afferent-cli
ifeq ($(NEXTEST),yes)
	$(CARGO) nextest run --workspace --locked
else
	$(CARGO) test --workspace --locked --lib --bins --tests
endif
	$(CARGO) test --workspace --locked --doc
	$(MAKE) loom
	$(CARGO) bench --profile test --locked -p afferent-suite -- --test

setup:
	@sh tests/setup.sh

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

# Model tests of hand-made lock-free code: all interleavings up to three preemptions.
loom:
	RUSTFLAGS="--cfg loom" $(CARGO) test -p afferent-engine --locked --profile test --lib \
	    --target-dir target/loom -- model

# The tables of benches/README.md.
bench:
	$(CARGO) bench --locked -p afferent-suite
