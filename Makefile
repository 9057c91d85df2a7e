# Everything that is done with this tree. `make` lists it.

SHELL := /bin/sh
CARGO := cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
LAB := $(TARGET)/release/lab
LINKED :=
NAME ?= demo
SECONDS ?= 60
SUITE ?= bookworm

# `--workspace` everywhere: with `-p`, cargo would compile dependencies again with fewer features.

# Where nothing may be left out, what is tested is linked as what is shipped, and built once.
ifeq ($(PQ_E2E),require)
LINKED := tests/dist/linked
CARGO := $(LINKED) cargo
endif

# One runner for all tests; cargo's own where cargo-nextest is not installed.
ifneq ($(shell command -v cargo-nextest),)
TESTS = $(CARGO) nextest run --release --no-tests=fail
ONLY = -E 'test($(1))'
MATRIX = --profile matrix --run-ignored all
else
TESTS = $(CARGO) test --release
ONLY = $(1)
IGNORED = -- --include-ignored
endif

.DEFAULT_GOAL := help
.PHONY: help fuzz build dist tools demo demo-down lab lab-up lab-shell lab-down lab-ls test e2e matrix bench-inventory bench-fleet bench-apply bench-backup bench-upgrade bench-monitor bench-hardening check schema pictures bless

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the tools and the lab (release); installs nothing
	$(CARGO) build --release --workspace --bins

dist: tools ## build tools that start on any Debian and Ubuntu of today: target/dist/<architecture>/
	@$(LINKED) tests/dist/build

tools: ## install what machines and tests need of Debian; silent when all is there
	@tests/demo/tools

demo: tools ## a bare Debian machine becomes a wiki and a calendar server, twice
	@tests/demo/run

demo-down: lab ## remove the demo's machine
	@$(LAB) down demo

lab:
	@$(CARGO) build --quiet --release --workspace --bin lab

lab-up: tools lab ## boot a machine that stays: NAME=demo SUITE=bookworm
	@$(LAB) up $(NAME) --suite $(SUITE)

lab-shell: lab ## open a root shell in a machine: NAME=demo
	@$(LAB) shell $(NAME)

lab-down: lab ## take a machine away: NAME=demo; all of them, and the bridge: NAME=--all
	@$(LAB) down $(NAME)

lab-ls: lab ## list machines and images
	@$(LAB) ls

test: tools build $(if $(filter require,$(PQ_E2E)),dist) ## all tests; PQ_E2E=require: none may be left out
	$(TESTS) --workspace

e2e: tools build ## the end-to-end tests whose name holds T: T=name
	$(TESTS) --workspace --test e2e $(call ONLY,$(T))

conformance: tools build ## read the same inventories as the real ansible-core: PQ_CASE=word
	$(TESTS) --workspace --test conformance

matrix: tools build $(if $(filter platform,$(M)),dist) ## a whole matrix, resumed where it was stopped: M=name
	PQ_MATRIX=whole $(TESTS) $(MATRIX) --workspace --test e2e --test conformance --test fuzz --test injected $(call ONLY,matrix_$(M)) $(IGNORED)

fuzz: tools ## give a parser what nobody would write: T=template SECONDS=60
	CARGO_TARGET_DIR=$(TARGET)/fuzz fuzz/build --bin $(T)
	CARGO_TARGET_DIR=$(TARGET)/fuzz fuzz/run $(T) $(SECONDS)

bench-inventory: tools build ## what an inventory of 1,000 hosts costs, beside ansible-inventory
	$(CARGO) bench --quiet --workspace --bench inventory

bench-fleet: tools build ## a run over ssh on six machines beside plain ssh; a plan for a thousand
	$(CARGO) bench --quiet --workspace --bench fleet

bench-apply: tools build ## a run beside Ansible, pyinfra and a floor: without a change, the first one, one template
	$(CARGO) bench --quiet --workspace --bench apply

bench-backup: tools build ## a day of backups beside plain restic and the old way: about 25 minutes
	tests/demo/sources $(LAB) >/dev/null
	$(CARGO) bench --quiet --workspace --bench backup

bench-upgrade: tools build ## how long people wait while an instance is upgraded
	$(CARGO) bench --quiet --workspace --bench upgrade

bench-monitor: tools build ## fifty checks of which ten hang, beside a cycle of monit
	$(CARGO) bench --quiet --workspace --bench monitor

bench-hardening: tools build ## what Lynis, systemd-analyze and testssl.sh say of a machine
	$(CARGO) bench --quiet --workspace --bench hardening

check: ## format, lints, and licences and origins of dependencies
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	@if command -v cargo-deny >/dev/null; then \
	    $(CARGO) deny check bans licenses sources; \
	else \
	    echo "check: dependencies not checked, for want of cargo-deny: cargo install --locked cargo-deny" >&2; \
	fi

schema: ## write the JSON Schemas in docs/ from the types
	$(CARGO) run --quiet --release --example schema > docs/stream.schema.json.new
	mv docs/stream.schema.json.new docs/stream.schema.json
	$(CARGO) run --quiet --release --example items_schema > docs/items.schema.json.new
	mv docs/items.schema.json.new docs/items.schema.json
	for it in recipe pins; do \
	    $(CARGO) run --quiet --release --example recipe_schemas $$it > docs/$$it.schema.json.new && \
	    mv docs/$$it.schema.json.new docs/$$it.schema.json; done

pictures: tools build ## take the pictures of docs/pictures anew, of the page of pq-monitor in Chromium
	PQ_BLESS=1 $(CARGO) test --release --workspace --test page -- pictures

bless: build ## rewrite what the case tests expect; git shows what moved
	PQ_BLESS=1 $(CARGO) test --release --workspace --test cases
