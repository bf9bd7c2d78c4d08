.PHONY: test race cross bench lint

test:
	go test ./...

race:
	go test -race ./...

bench:
	go test -run '^$$' -bench . -benchmem ./...

lint:
	gofmt -l .
	go vet ./...

cross:
	CGO_ENABLED=0 GOOS=linux GOARCH=arm GOARM=6 go build -trimpath -ldflags '-s -w' -o build/coldkeep-linux-armv6 ./cmd/coldkeep
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -trimpath -ldflags '-s -w' -o build/coldkeep-linux-arm64 ./cmd/coldkeep
	CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -trimpath -ldflags '-s -w' -o build/coldkeep-linux-amd64 ./cmd/coldkeep

.PHONY: demo
demo:
	go run ./cmd/coldkeep replay --config configs/demo/trip.yaml --batches configs/demo/trip-batches.yaml --readings configs/demo/trip.csv --until 2022-11-09T01:29:00Z
