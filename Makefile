# Everything a contributor or CI runs. `make` alone lists it.
# All targets use one profile, one feature set and no RUSTFLAGS of their own, so that nothing is compiled twice.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test cost golden golden-doc openapi-test soak lint doc bench fuzz services setup setup-services

# In CI a lock file that is not up to date is an error.
LOCKED := $(if $(CI),--locked)
# The guests are a workspace of their own and share one target folder inside ours.
GUESTS := --manifest-path transforms/Cargo.toml --target-dir target/guests $(LOCKED)
# So do the transforms of the examples.
EXAMPLES := --manifest-path examples/Cargo.toml --target-dir target/guests $(LOCKED)
WASM := --target wasm32-unknown-unknown
COST := cargo run $(LOCKED) --config connector/benches/cost.toml --package sluice --example cost
# The tests wait more than they compute: four at a time, even on two cores.
export RUST_TEST_THREADS ?= $(shell n=$$(nproc); echo $$((n < 4 ? 4 : n)))
# Services that the user runs himself need no fetching (docker/local/README.md).
SERVICES := $(if $(SLUICE_TEST_KAFKA),,kafka) $(if $(SLUICE_TEST_INFLUXDB),,influxdb) $(if $(SLUICE_TEST_VICTORIA_METRICS),,victoria-metrics) prometheus
# One of them alone: FUZZ_TARGET=points.
FUZZ_TARGET ?= $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))
FUZZ_SECONDS ?= 60
# Schedules of each model test, inputs of each fuzz target: about twenty minutes.
SOAK_SCHEDULES ?= 2000000
SOAK_INPUTS ?= 1000000

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

demo: setup ## live prices through the whole path, no service needed; options in DEMO_ARGS="--duration-s 10"
	cargo run $(LOCKED) --package sluice -- demo $(DEMO_ARGS)

test: setup setup-services ## everything, against real services that it fetches itself
	docker/check/run
	$(if $(filter influxdb,$(SERVICES)),docker/local/test)
	cargo test $(GUESTS) --workspace
	cargo test $(EXAMPLES) --workspace
	cargo test $(LOCKED) --workspace
	$(COST)

cost: setup ## instructions and allocations of each stage against connector/benches/cost.json (needs valgrind); ARGS=--write keeps the new ones
	$(COST) -- $(ARGS)

golden: setup ## ask Kafka Connect 4.1 anew what it answers to the script in connector/tests/golden; it is fetched for that
	docker/local/services fetch kafka connect
	cargo test $(LOCKED) --package sluice --test it golden::record -- --ignored

golden-doc: setup ## make the table in docs/CONNECT-REST.md from connector/tests/golden/differences.json
	cargo test $(LOCKED) --package sluice --test it golden::write_document -- --ignored

openapi-test: setup setup-services ## the description of the REST API against its answers, by schemathesis, which it fetches (needs Python, minutes)
	cargo test $(LOCKED) --package sluice --test it openapi:: -- --ignored --nocapture

soak: setup setup-services ## minutes of the model, the fuzz targets and the fault matrix; again with SLUICE_SOAK_SEED=, SLUICE_SOAK_ROUNDS= (30)
	SLUICE_MODEL_SCHEDULES=$(SOAK_SCHEDULES) SLUICE_FUZZ_INPUTS=$(SOAK_INPUTS) cargo test $(LOCKED) --package sluice --lib -- pipeline::model fuzz::tests
	cargo test $(LOCKED) --package sluice --test it soak -- --ignored --nocapture --test-threads 1

lint: setup ## formatting, clippy with warnings as errors, the project's own rules
	scripts/check-source
	for workspace in . transforms examples $(wildcard connector/tests/guests/*) connector/benches/identity $(wildcard fuzz); do \
		[ ! -f $$workspace/Cargo.toml ] || cargo fmt --manifest-path $$workspace/Cargo.toml --all --check; \
	done
	cargo clippy $(GUESTS) --workspace --all-targets -- -D warnings
	cargo clippy $(GUESTS) --workspace $(WASM) -- -D warnings
	cargo clippy $(EXAMPLES) --workspace --all-targets -- -D warnings
	cargo clippy $(LOCKED) --workspace --all-targets -- -D warnings

doc: setup ## API documentation, warnings as errors
	RUSTDOCFLAGS="-D warnings" cargo doc $(GUESTS) --workspace --no-deps
	RUSTDOCFLAGS="-D warnings" cargo doc $(LOCKED) --workspace --no-deps

bench: setup setup-services ## everything in docs/BENCHMARKS.md, beside librdkafka alone and Kafka Connect (fetched); release build, most of an hour; options in ARGS=
	cargo bench $(LOCKED) --package sluice --bench bench -- $(ARGS)

fuzz: setup ## every fuzz target, or FUZZ_TARGET, for FUZZ_SECONDS each with a nightly compiler; what grew is kept in fuzz/corpus
	@rustup run nightly rustc --version >/dev/null 2>&1 || { echo "fuzzing needs a nightly compiler: rustup toolchain install nightly --profile minimal" >&2; exit 1; }
	@command -v cargo-fuzz >/dev/null || { echo "fuzzing needs cargo-fuzz: cargo install cargo-fuzz --locked" >&2; exit 1; }
	rustup target add --toolchain nightly wasm32-unknown-unknown
	for target in $(FUZZ_TARGET); do \
		mkdir -p fuzz/corpus/$$target; \
		cargo +nightly fuzz run --sanitizer none $$target fuzz/corpus/$$target fuzz/seeds/$$target -- -max_total_time=$(FUZZ_SECONDS); \
	done

services: setup-services ## Kafka, InfluxDB, VictoriaMetrics and Prometheus in the foreground, until Ctrl-C
	docker/local/services run kafka influxdb victoria-metrics prometheus

setup:
	@scripts/setup

setup-services:
	@$(if $(strip $(SERVICES)),docker/local/services fetch $(SERVICES),true)
	@scripts/venv clients -r connector/tests/clients/requirements.txt >/dev/null
