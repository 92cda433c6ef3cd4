# Everything here runs without a network once the Go modules are in the module cache.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

# How the program is built, and whatever else needs no race detector: what they have in common is compiled once.
PLAIN := CGO_ENABLED=0 GOFLAGS='$(strip $(GOFLAGS) -trimpath)'
# buf lives in a module of its own, so that its many dependencies are not ours. The first build takes a minute or two, later runs use the cache.
BUF := $(PLAIN) go tool -modfile=tools/go.mod buf
# What `make breaking` and `make benchstat` compare with: any commit, tag or branch.
BASE ?= main

.PHONY: help
help: ## List the targets (the default).
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Tell the stories through a real server with an embedded Redis.
	go run ./cmd/amends demo

.PHONY: build
build: ## Build the static binary into bin/.
	$(PLAIN) go build -o bin/amends ./cmd/amends

.PHONY: test
test: ## Run every test with the race detector, on real Redis servers, a real Jaeger and a real Prometheus (installs what is missing).
	.ci/install
	tools/jaeger/build.sh
	$(PLAIN) go vet ./...
	CI=true go test -race -vet=off -timeout 15m ./...

.PHONY: cluster
cluster: ## Run a Redis Cluster of three masters and three replicas on loopback, and say how to serve with it (Ctrl-C ends it).
	@.ci/install redis-server
	@go run ./internal/redisproc/cluster

.PHONY: jaeger
jaeger: ## Run a Jaeger that takes in traces on 127.0.0.1:4317 (built once, which takes some minutes; Ctrl-C ends it).
	@jaeger=$$(tools/jaeger/build.sh); \
	echo 'Jaeger takes in traces on 127.0.0.1:4317, and its JSON API is on http://127.0.0.1:16686. In another terminal:'; \
	echo '  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 amends serve'; \
	exec tools/jaeger/run.sh "$$jaeger" 16686 4317 4318

.PHONY: trace-sample
trace-sample: ## Record the traces of the docs anew, from a real server and a real Jaeger.
	go test -count=1 -run '^TestJaeger$$' ./internal/serve -args -sample "$$PWD/docs/pictures/traces.json"

.PHONY: check-alerts
check-alerts: ## Check the alerts: their syntax, and when they fire (installs Prometheus when it is missing).
	.ci/install
	promtool check config deploy/prometheus/prometheus.yaml
	promtool test rules deploy/prometheus/alerts_test.yaml

.PHONY: bench
bench: ## Measure what the service costs beside baselines, and write docs/performance.md, docs/capacity.md and the README's table (ten minutes).
	.ci/install redis-server
	$(PLAIN) go build -ldflags "-s -w" -o bin/amends ./cmd/amends
	bin/amends bench --full -o json > bin/performance.json
	mv bin/performance.json docs/pictures/performance.json
	go run ./internal/performance

.PHONY: benchstat
benchstat: ## Compare the layers of a report with those of BASE (default: main, on it the commit before), which takes some minutes.
	.ci/install redis-server
	tools/benchstat/run.sh $(BASE)

.PHONY: overload
overload: ## Print what becomes of calls at one, two and four times of what the server can do, and what a lost collector costs.
	.ci/install redis-server
	go test -run '^$$' -bench 'Overload|Collector' -benchtime 1x ./internal/serve

.PHONY: pictures
pictures: ## Make what the docs show of the rules anew: pictures and tables.
	go run ./internal/picture docs

.PHONY: generate
generate: third_party/proto ## Generate the Go code beside the .proto files.
	$(BUF) generate

.PHONY: lint
lint: third_party/proto ## Check the style of the Go and .proto files.
	@unformatted=$$(git ls-files '*.go' | xargs gofmt -l); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(PLAIN) go tool staticcheck ./...
	$(BUF) lint
	$(BUF) format --diff --exit-code proto

.PHONY: breaking
breaking: third_party/proto ## Check that the contract breaks no caller of BASE (default: main).
	$(PLAIN) tools/breaking.sh $(BASE)

.PHONY: check-generated
check-generated: third_party/proto ## Check that the committed Go code is what `make generate` makes.
	$(PLAIN) tools/check-generated.sh

.PHONY: check-deploy
check-deploy: ## Check the files of deploy/ and carry out the Dockerfile, without a container engine.
	.ci/install
	cd deploy/check && export $(PLAIN) CI=true && go vet . && go test -vet=off -timeout 15m .

# The files that our .proto files import, printed out of the Go packages that go.mod pins. Made anew when go.mod changes.
third_party/proto: go.mod internal/thirdparty/main.go
	$(PLAIN) go run ./internal/thirdparty $@.new
	rm -rf $@
	mv $@.new $@
	touch $@
