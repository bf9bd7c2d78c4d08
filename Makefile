.PHONY: run demo test system-test race fuzz bench lint cross

CONFIG ?= configs/clinic.yaml

demo:
	go run ./cmd/coldkeep demo

# The second is a module by itself (its package comment tells why), and reads
# what lies outside of it, which go does not see change: hence -count=1.
test:
	go test -timeout 20m ./...
	cd deploy/check && go test -count=1 ./...

run:
	go run ./cmd/coldkeep run --config $(CONFIG)

# The slow tests with the real binary, real brokers, Prometheus and Alertmanager.
system-test:
	sh deploy/system-test-deps.sh
	COLDKEEP_SYSTEM=long go test -count=1 -timeout 45m -run 'System' -v ./cmd/coldkeep ./alert/... ./deploy/...
	cd deploy/check && COLDKEEP_SYSTEM=long go test -count=1 -timeout 10m -run 'System' -v ./...

race:
	go test -race -timeout 40m ./...

fuzz:
	for p in $$(go list ./...); do for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do go test -run '^$$' -fuzz "^$$f$$" -fuzztime 10s -fuzzminimizetime 2s $$p || exit 1; done; done

bench:
	go test -run '^$$' -bench . -benchmem ./...

lint:
	test -z "$$(gofmt -l .)"
	go vet ./...
	CGO_ENABLED=0 GOOS=linux GOARCH=arm GOARM=6 go vet ./...
	cd deploy/check && go vet ./...
	go tool -modfile=.ci/tools/go.mod staticcheck ./...

cross:
	CGO_ENABLED=0 GOOS=linux GOARCH=arm GOARM=6 go build -trimpath -ldflags '-s -w' -o build/coldkeep-linux-armv6 ./cmd/coldkeep
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -trimpath -ldflags '-s -w' -o build/coldkeep-linux-arm64 ./cmd/coldkeep
	CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -trimpath -ldflags '-s -w' -o build/coldkeep-linux-amd64 ./cmd/coldkeep
