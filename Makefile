# One vocabulary for everyone: `make help` lists it. Each command first installs what is missing, ends with a summary
# line, and fails when anything fell short. JSON=1 makes the last line one JSON object with the figures.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# OXBOW_STRICT=1 in the environment turns warnings into errors, as CI does; it passes through to every build.
SWIFT ?= swift
OXBOW := .build/release/oxbow
OXBOW_INTEROP := .build/release/oxbow-interop
SIMULATE := .build/release/oxbow-simulate
JSON_FLAG := $(if $(JSON),--json)

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: bootstrap
bootstrap: ## Install what is missing (apt packages; asks for nothing when all is there)
	@scripts/bootstrap

.PHONY: build
build: bootstrap ## Build everything, for debugging
	$(SWIFT) build

$(OXBOW): FORCE
	$(SWIFT) build -c release --product oxbow
$(OXBOW_INTEROP): FORCE
	$(SWIFT) build -c release --product oxbow-interop
$(SIMULATE): FORCE
	$(SWIFT) build -c release --product oxbow-simulate
FORCE:

.PHONY: demo
demo: bootstrap $(OXBOW) ## Move a live stream while a file flows: FILE=path or SIZE=64MiB, DEMO_ARGS=more
	@$(OXBOW) demo $(if $(FILE),"$(FILE)") $(if $(SIZE),--size $(SIZE)) $(JSON_FLAG) $(DEMO_ARGS)

.PHONY: test
test: bootstrap ## Build and pass all tests: FILTER=regex for some of them; SANITIZE=thread or address
	@scripts/test $(JSON_FLAG) $(if $(FILTER),--filter '$(FILTER)') $(if $(SANITIZE),--sanitize $(SANITIZE))

.PHONY: transcripts
transcripts: bootstrap ## Write the golden transcripts of Specs/transcripts anew
	OXBOW_WRITE_TRANSCRIPTS=1 $(SWIFT) test --disable-xctest --filter TranscriptTests
	@git --no-pager diff --stat -- Specs/transcripts

.PHONY: lint
lint: bootstrap ## Check format, generated code, scripts, imports and warnings
	@scripts/lint $(JSON_FLAG)

.PHONY: spin
spin: ## Check the Promela model of stream migration: DEEP=1, ONLY=name, SHOW=mutant
	@scripts/bootstrap --with-spin
	@Specs/stream-migration/model/check $(if $(DEEP),--deep) $(if $(ONLY),--only '$(ONLY)') \
		$(if $(SHOW),--show '$(SHOW)') $(JSON_FLAG)

MODEL_CHECK := .build/release/OxbowModelCheck

# A world of one's own takes its bounds from BYTES, ATTEMPTS, FAULTS and WINDOW; without them the listed worlds are walked.
.PHONY: model-check
model-check: bootstrap ## Walk the code of migration and of connections through every order of events: DEEP=1, FAULTS=2 BYTES=1, ONLY=glare, MUTANT=name, WALKS=n SEED=s
	$(SWIFT) build -c release --product OxbowModelCheck
	$(if $(WRITE),$(MODEL_CHECK) --transitions >Specs/stream-migration/transitions.md)
	@$(MODEL_CHECK) $(if $(DEEP),--deep) $(if $(ONLY),--only '$(ONLY)') $(if $(MUTANT),--mutant '$(MUTANT)') \
		$(if $(WALKS),--walks '$(WALKS)') $(if $(SEED),--seed '$(SEED)') $(if $(LIMIT),--limit '$(LIMIT)') \
		$(if $(BYTES),--bytes '$(BYTES)') $(if $(ATTEMPTS),--attempts '$(ATTEMPTS)') \
		$(if $(FAULTS),--faults '$(FAULTS)') $(if $(WINDOW),--window '$(WINDOW)') $(JSON_FLAG)

# Everything between Oxbow and each peer, some minutes; QUICK=1 is what CI runs. The written tables are those of a full run.
.PHONY: matrix
matrix: ## Run against libp2p peers of others, in every combination: QUICK=1, ONLY='go/tls/*', REPEAT=3, WRITE=file.md
	@scripts/bootstrap --with-peers
	@$(MAKE) --no-print-directory $(OXBOW) $(OXBOW_INTEROP)
	@Interop/run $(if $(QUICK),--quick) $(if $(ONLY),--only '$(ONLY)') $(if $(REPEAT),--repeat $(REPEAT)) \
		$(if $(WRITE),--write '$(WRITE)',$(if $(QUICK)$(ONLY),,--write Interop/MATRIX.md)) $(JSON_FLAG)

.PHONY: interop
interop: ## The quick part of the matrix
	@$(MAKE) --no-print-directory matrix QUICK=1

.PHONY: conformance
conformance: ## Ask Yamux, multistream, Noise and identify of Oxbow and others: QUICK=1 for Oxbow alone, TARGET=py KIT=noisespec ONLY='5.*'
	@scripts/bootstrap $(if $(QUICK),,--with-peers)
	@$(MAKE) --no-print-directory $(OXBOW_INTEROP)
	@Interop/conformance/run $(if $(QUICK),--target oxbow) $(foreach name,$(TARGET),--target $(name)) \
		$(foreach name,$(KIT),--kit $(name)) $(if $(ONLY),--only '$(ONLY)') $(if $(WRITE),--write '$(WRITE)') $(JSON_FLAG)

.PHONY: test-plans
test-plans: ## Run libp2p's test-plans and unified-testing without containers: ONLY='transport/*/tls/*'
	@scripts/bootstrap --with-test-plans --with-lab $(LAB_PEERS)
	@$(MAKE) --no-print-directory $(OXBOW_INTEROP)
	@Interop/test-plans/run $(if $(ONLY),--only '$(ONLY)') $(JSON_FLAG)

.PHONY: migration-interop
migration-interop: bootstrap $(OXBOW_INTEROP) ## Act as either side of migration by script: ONLY='glare-*' TARGET=address FULL=1 TRANSCRIPTS=folder
	@Interop/migration/run $(if $(TARGET),--target '$(TARGET)') $(if $(ONLY),--only '$(ONLY)') $(if $(FULL),--full) \
		$(if $(TRANSCRIPTS),--transcripts '$(TRANSCRIPTS)') $(JSON_FLAG)

# The peers of the interop tests are in it too, where they exist: without them their scenarios say so and are left out.
LAB_PEERS := $(if $(filter Linux-x86_64,$(shell uname -sm | tr ' ' -)),--with-peers)

.PHONY: lab
lab: bootstrap $(OXBOW) $(OXBOW_INTEROP) ## Streams that move, over bad links and through NATs: ONLY=repeat RUNS=50 SIZE=MiB STREAMS= MIGRATIONS= LOSS= DELAY=25,60
	@scripts/bootstrap --with-lab $(LAB_PEERS)
	@Interop/lab/run $(if $(STREAMS),--streams $(STREAMS)) $(if $(MIGRATIONS),--migrations $(MIGRATIONS)) \
		$(if $(CONNECTIONS),--connections $(CONNECTIONS)) $(if $(LOSS),--loss $(LOSS)) $(if $(DELAY),--delay $(DELAY)) \
		$(if $(RELAY_LINK),--relay $(RELAY_LINK)) $(if $(HOME_LINK),--home $(HOME_LINK)) $(if $(SIZE),--size $(SIZE)) \
		$(if $(RUNS),--runs $(RUNS)) $(if $(LEAVING),--leaving $(LEAVING)) $(if $(SEED),--seed $(SEED)) \
		$(foreach name,$(ONLY),--only $(name)) $(JSON_FLAG) $(LAB_ARGS)

.PHONY: adversary
adversary: bootstrap $(OXBOW) $(OXBOW_INTEROP) ## Attack oxbow on real sockets with every known attack of the field: QUICK=1, ONLY='loris-*', WRITE=table.md
	@scripts/bootstrap --with-lab
	@Interop/adversary/run $(if $(QUICK),--quick) $(foreach name,$(ONLY),--only '$(name)') \
		$(if $(WRITE),--write '$(WRITE)') $(JSON_FLAG)

.PHONY: bench
bench: bootstrap ## Measure speed beside references in the same run: QUICK=1, SECONDS=per figure RUNS=3 ONLY=regex AWAKE=1 without halted processors, WRITE=1 for table and plot
	@Benchmarks/run $(if $(QUICK),--seconds 1) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(ONLY),--only '$(ONLY)') \
		$(if $(AWAKE),--awake) $(if $(WRITE),--results Benchmarks/.build/results.json) $(JSON_FLAG)
	$(if $(WRITE),@Benchmarks/render Benchmarks/.build/results.json)

.PHONY: bench-counts
bench-counts: ## Count instructions and allocations of hot paths, and compare with Benchmarks/counts.txt: ONLY='noise.*', WRITE=1
	@scripts/bootstrap --with-valgrind
	@Benchmarks/counts $(if $(ONLY),--only '$(ONLY)') $(if $(WRITE),--write) $(JSON_FLAG)

.PHONY: simulate
simulate: bootstrap $(SIMULATE) ## Whole hosts with faults in virtual time: SEEDS=1000 EVERY=1 FAULTS=3; SEED=n or POINT=n replays one
	@$(SIMULATE) --seeds $(or $(SEEDS),1000) --every $(or $(EVERY),1) --faults $(or $(FAULTS),3) \
		$(if $(SEED),--seed $(SEED)) $(if $(POINT),--point $(POINT)) $(JSON_FLAG)

FUZZ = scripts/fuzz $(foreach name,$(TARGET),--target $(name)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(RUNS),--runs $(RUNS)) \
	$(if $(JOBS),--jobs $(JOBS)) $(if $(PLAIN),--plain) $(JSON_FLAG) $(FUZZ_ARGS)

# With --grow in FUZZ_ARGS, what is found goes into the corpus.
.PHONY: fuzz
fuzz: bootstrap ## Fuzz parsers and machines: TARGET=name SECONDS=10 or RUNS=n JOBS=1 PLAIN=1 COVERAGE=1 FUZZ_ARGS=more
	@$(FUZZ) $(if $(COVERAGE),--coverage)

.PHONY: fuzz-aim
fuzz-aim: bootstrap ## Go on until each target has had ten million executions or an hour: Fuzz/executions.md; takes what fuzz takes
	@$(FUZZ) --aim

.PHONY: docs
docs: bootstrap ## Build the documentation of the library's targets
	@scripts/docs $(JSON_FLAG)

.PHONY: clean
clean: ## Remove what was built (.peers stays: delete it by hand)
	rm -rf .build .build-strict .build-coverage .build-thread .build-address Fuzz/.build Fuzz/.build-plain Fuzz/.found
