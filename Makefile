# Every target installs its requirements into .deps once, and prints nothing if
# there is nothing to do. `make help` lists the targets.

SHELL   := bash
.SHELLFLAGS := -euo pipefail -c
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
GO      := source .deps/env && go
# Without the vet of go test, which analyses every dependency again, and again
# with -race: lint runs all of go vet.
TEST    := $(GO) test -vet=off
# Packages with concurrency: their tests run with the race detector, the others
# without it.
RACE    := ./internal/tensorflow ./internal/network ./internal/pipeline ./internal/bottlenecks ./inference/... \
           ./access/... ./catalog/... ./internal/hdfs ./datasets/... ./plugins ./plugins/host ./plugins/internal/... ./plugins/preprocesstest \
           ./plugins/python ./plugins/steps ./plugins/store ./registry/... ./serve/... ./ingest/directory ./ingest/ledger ./ingest/commit ./ingest/lookup ./ingest/notify ./ingest/classify
# Those of them that start no goroutines and keep nothing that several could use.
SERIAL  := ./access/sqlite ./datasets/folder ./datasets/sequencefile ./datasets/tarshards ./datasets/tfrecord ./datasets/webhdfs \
           ./inference/predict ./registry/export ./registry/metadata/... ./registry/versionpage
RACING   = $$(comm -23 <(go list $(RACE) | sort) <(go list $(SERIAL) | sort))
# SQLite is C, translated. The race detector finds nothing in it, and more than doubles
# the time of the tests that use it.
RACEFLAGS := -race '-gcflags=modernc.org/...=-race=false'

MAKEFLAGS += --no-print-directory
export FUZZTIME FUZZMIN

.DEFAULT_GOAL := help
.PHONY: help deps deps-hadoop deps-kafka deps-opensearch shells postgres redis chromium launcher build check test unraced race soak fuzz lint demo demo-digits demo-ingest demo-plugins bench release manifests test-release clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

deps: ## install libtensorflow into .deps (LIBTENSORFLOW="--gpu" or "--from FOLDER")
	@scripts/install-libtensorflow $(LIBTENSORFLOW)

.deps/python/installed: scripts/install-python scripts/python-requirements.txt $(wildcard plugins/python/requirements.txt plugins/examples/*/requirements.txt) | deps
	@scripts/install-python

deps-hadoop: ## install Hadoop's jars into .deps, for the tests that start a real HDFS
	@scripts/hadoop/install

deps-kafka: ## install Kafka's jars into .deps, for the tests that start a real Kafka
	@scripts/kafka/install

deps-opensearch: ## install OpenSearch's jars into .deps, for the tests that start a real OpenSearch
	@scripts/opensearch/install

shells: # zsh and fish, for the tests of completion
	@scripts/install-shells

postgres: shells # PostgreSQL, of which tests start servers; apt-get runs once at a time
	@scripts/install-postgres

redis: postgres # Redis, of which a test starts a server
	@scripts/install-redis

chromium: redis # for the test of the page of pipelines
	@scripts/install-chromium

launcher: # the program that confines plugins, embedded in tkit
	@CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w' -o plugins/internal/launch/_launcher ./plugins/internal/launch/launcher

build: deps launcher ## build bin/tkit
	@$(GO) build -trimpath -buildvcs=auto -tags launcher -ldflags '-X main.version=$(VERSION)' -o bin/tkit ./cmd/tkit

# Two packages more than cores at a time, because some tests wait for processes.
check: lint ## run after an edit: lint, the import rules and the fast tests that need neither Python nor a JVM
	@$(TEST) -short -p $$((2 + $$(nproc))) ./...

# What is downloaded and what is compiled share the time, and so do the tests
# that wait for Java or Python and those that compute. Several tests build plugins:
# what those import is compiled before, so that they do not compile it at once.
test: deps ## everything that must pass before a change is merged
	@$(MAKE) -j3 .deps/python/installed deps-hadoop deps-kafka deps-opensearch shells postgres redis chromium lint
	@CGO_ENABLED=0 $(GO) vet ./plugins/examples/...
	@$(MAKE) -j2 unraced race

unraced: deps .deps/python/installed deps-hadoop deps-kafka deps-opensearch # the packages without concurrency
	@$(TEST) -timeout 20m $$(comm -23 <(go list ./... | sort) <(printf '%s\n' $(RACING)))

race: deps .deps/python/installed deps-hadoop deps-kafka deps-opensearch ## the concurrent packages with the race detector
	@$(TEST) $(RACEFLAGS) -timeout 20m $(RACING)

soak: deps deps-hadoop deps-kafka deps-opensearch postgres ## faults with realistic durations: jobs of three minutes with Kerberos tickets of one, pipelines while each service is down for 30 seconds, pipelines and registrations killed 50 times, random requests to the registry
	@TKIT_TICKET_LIFE=1m $(GO) test -count=1 -timeout 20m -run '^TestTicketsEnd$$' ./internal/hdfs/...
	@TKIT_SOAK=1 $(GO) test -count=1 -timeout 40m -run '^TestSoak$$' -v ./ingest/soak
	@TKIT_KILLS=50 $(GO) test -count=1 -timeout 60m -run '^TestKilled$$' ./ingest
	@TKIT_KILLS=50 $(GO) test -count=1 -timeout 20m -run '^(TestKilledTraining|TestStateMachine)$$' ./registry -rapid.checks 500

release: deps launcher ## pack tkit into dist: a tarball, a Debian package and a container image (RELEASE="-only tarball")
	@$(GO) -C scripts/release run . $(RELEASE)

# The module of KEDA has the schemas of its kinds.
KEDA := github.com/kedacore/keda/v2@v2.21.0

manifests: ## validate the manifests for Kubernetes and KEDA, offline
	@go mod download $(KEDA)
	@go -C scripts/kubernetes tool kubectl-validate --version 1.30 --local-crds "$$(go env GOMODCACHE)/$(KEDA)/config/crd/bases" $(CURDIR)/deploy/kubernetes

test-release: deps launcher manifests ## install a release in a bare Debian, and train, predict and serve there; as root
	@scripts/release/debian-root
	@rm -rf .deps/release-test
	@$(GO) -C scripts/release run . -level 1 -out $(CURDIR)/.deps/release-test
	@$(GO) -C scripts/release test -count=1 -v . -dist $(CURDIR)/.deps/release-test -debian $(CURDIR)/.deps/debian-bookworm.tar
	@rm -rf .deps/release-test

# What compiles and analyses for the first time takes less time with more memory.
lint: export GOGC = 400
lint: deps ## gofmt, go vet and staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "gofmt -w $$unformatted"; exit 1; }
	@$(GO) vet ./...
	@$(GO) -C scripts/release vet ./...
	@$(GO) tool staticcheck ./...
	@source .deps/env && staticcheck=$$(go tool -n staticcheck) && cd scripts/release && "$$staticcheck" ./...

fuzz: deps ## run every fuzz target for a while and count the inputs (FUZZTIME=20s FUZZ=PATTERN)
	@scripts/fuzz '$(FUZZ)'

demo: build $(if $(filter hdfs,$(DEMO_STORE)),deps-hadoop) ## a real job on photographs: download weights, train, compare, serve (DEMO_STORE=hdfs)
	@DEMO_STORE=$(DEMO_STORE) scripts/demo

demo-digits: build $(if $(filter hdfs,$(DEMO_STORE)),deps-hadoop) ## the workflow on included scans, without downloads (DEMO_STORE=hdfs)
	@DEMO_STORE=$(DEMO_STORE) scripts/demo-digits

demo-ingest: build deps-hadoop deps-kafka deps-opensearch postgres ## a pipeline with real HDFS, PostgreSQL, OpenSearch, Kafka and mail, killed in the middle
	@scripts/demo-ingest

demo-plugins: build .deps/python/installed ## train on poor scans with and without the example plugins, and serve
	@scripts/demo-plugins

bench: build .deps/python/installed deps-hadoop deps-kafka ## run the benchmarks
	@scripts/bench

clean: ## remove build results, keep downloads
	@rm -rf bin dist plugins/internal/launch/_launcher
