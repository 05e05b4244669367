# Two commands do everything: `make demo` and `make test`. The rest are their parts.
SHELL := /bin/bash
CARGO ?= cargo
export CARGO_TERM_COLOR ?= never
NODE := infra/with-node.sh
DEMO_DATA ?= $(CURDIR)/data/demo
WEB := dashboards/web

.PHONY: help demo build test check lint fmt bench setup setup-test web deny clean-demo

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup:
	@infra/setup.sh build
	@infra/fetch.sh

setup-test:
	@infra/setup.sh test
	@infra/fetch.sh

$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json
	cd $(WEB) && $(CURDIR)/$(NODE) npm ci --no-audit --no-fund

web: $(WEB)/node_modules/.package-lock.json ## builds the pages into dashboards/web/dist
	cd $(WEB) && $(CURDIR)/$(NODE) npm run --silent build

build: setup web ## installs what is missing, builds pages and target/release/gridwarden, fills the cache
	$(CARGO) build --release --locked -p gridwarden

demo: build ## runs the whole platform on this machine with a simulated city
	target/release/gridwarden up --data $(DEMO_DATA) --demo

test: setup-test web ## installs what is missing and runs every test, on real parts
	infra/test.sh

check: ## format, lint, unit tests: minutes, before each commit
	$(CARGO) fmt --check
	$(MAKE) --no-print-directory lint-rust
	$(CARGO) test --locked -q --workspace --lib --bins

lint: lint-rust lint-web deny ## clippy, TypeScript, licences and sources

.PHONY: lint-rust lint-web
lint-rust:
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

lint-web: $(WEB)/node_modules/.package-lock.json
	cd $(WEB) && $(CURDIR)/$(NODE) npm run --silent lint

deny:
	infra/deny.sh

fmt: ## formats Rust and TypeScript
	$(CARGO) fmt
	cd $(WEB) && $(CURDIR)/$(NODE) npm run --silent format

bench: build ## the figures of README's table of guarantees, as JSON
	target/release/gridwarden bench geo --json
	target/release/gridwarden bench rules --json
	target/release/gridwarden bench stream --events 3000000 --json
	target/release/gridwarden bench recovery --json
	target/release/gridwarden bench latency --json
	target/release/gridwarden bench scale --json
	target/release/gridwarden bench outage --json

.PHONY: chaos chaos-selftest
chaos: build setup-test ## half an hour and more of kills, cuts and zombies under 20,000 events/s; the last line is JSON
	$(CARGO) build --locked --workspace --bins --test it
	target/debug/chaos --program target/release/gridwarden $(CHAOS)

chaos-selftest: setup-test ## bugs built in on purpose, one at a time: the suite must find each
	infra/chaos-selftest.sh $(CHAOS)

clean-demo: ## forgets the demo's data
	rm -rf $(DEMO_DATA)
