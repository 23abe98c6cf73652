# Thin verbs; the logic is in Go or in tools/. `make` shows this list.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export CGO_ENABLED ?= 0

FUZZTIME ?= 5s
DEMOFLAGS ?=

.PHONY: help build demo test fuzz lint bench interop fmt demodata clean

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## smets1 and smets1d into bin/, static
	go build -trimpath -o bin/ ./cmd/...

demo: build ## homes from authorisation to commissioned, in under a minute; results in out/ (DEMOFLAGS="--homes 100 --stay")
	./bin/smets1 demo $(DEMOFLAGS)

test: ## everything a machine with Go alone can prove: format, vet, tests with the race detector, fuzz smoke
	bash tools/test.sh

fuzz: ## every fuzz target for FUZZTIME (5s)
	bash tools/fuzz.sh $(FUZZTIME)

lint: ## golangci-lint with .golangci.yml (built from source the first time: some minutes)
	go build -C tools/lint -o ../../bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	bin/golangci-lint run ./...

bench: ## figures, each beside an anchor measured in the same run
	bash tools/bench.sh

interop: ## installs and runs the software nobody here wrote against ours (Debian, root)
	bash tools/interop.sh

demodata: ## writes testdata/migration/demo anew from its fleet manifest
	go run ./cmd/internal/demodata

fmt:
	gofmt -w $$(git ls-files '*.go')

clean: ## removes what was built and what a demo left
	rm -rf bin out state
