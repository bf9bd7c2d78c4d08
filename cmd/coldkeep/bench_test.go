package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"coldkeep/internal/config"
	"coldkeep/sensor/chips"
	"coldkeep/sensor/chipsim"
)

// manyProbes makes a config of n units with a probe each, 32 on a bus, and the
// simulated buses.
func manyProbes(b *testing.B, n int) *config.Config {
	b.Helper()
	var text strings.Builder
	var units strings.Builder
	text.WriteString("sampling: {interval: 2s}\nweb: {listen: \"127.0.0.1:0\"}\nnotify: [{channel: log}]\nprobes:\n")
	for i := range n {
		name := fmt.Sprintf("bench-%d-%d", n, i/32)
		address := fmt.Sprintf("28-%012x", i+1)
		if i%32 == 0 {
			sim, err := chipsim.NewOneWire(name)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { sim.Close() })
			for j := i; j < min(i+32, n); j++ {
				c, err := chipsim.NewDS18B20(fmt.Sprintf("28-%012x", j+1), chipsim.Refrigerator(uint64(j)).Source("buffered"))
				if err != nil {
					b.Fatal(err)
				}
				sim.Add(c)
			}
		}
		fmt.Fprintf(&text, "  - {id: p%d, chip: ds18b20, bus: %s, address: %s, medium: buffered}\n", i, name, address)
		fmt.Fprintf(&units, "  - {id: u%d, range: {low: 2, high: 8}, probes: [p%d]}\n", i, i)
	}
	cfg, err := config.Parse("bench.yaml", []byte(text.String()+"units:\n"+units.String()))
	if err != nil {
		b.Fatal(err)
	}
	cfg.Storage.Dir = b.TempDir()
	return cfg
}

// benchmarkDaemon runs the whole daemon on n probes for some sweeps, and tells
// its resident memory and its share of a core at ten seconds a sweep.
func benchmarkDaemon(b *testing.B, n int) {
	const sweeps = 6
	for b.Loop() {
		cfg := manyProbes(b, n)
		buses, err := chips.Open(b.Context(), cfg.Probes, chips.Options{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		ctx, stop := context.WithCancel(b.Context())
		d := daemon{cfg: cfg, buses: buses, log: slog.New(slog.NewTextHandler(io.Discard, nil))}
		done := make(chan error, 1)
		go func() { done <- d.run(ctx) }()
		time.Sleep(3 * time.Second)
		before := cpu(b)
		time.Sleep(sweeps * 2 * time.Second)
		used := cpu(b) - before
		runtime.KeepAlive(d)
		b.ReportMetric(resident(b), "MB-resident")
		b.ReportMetric(100*used.Seconds()/sweeps/10, "%-of-a-core-at-10s")
		stop()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDaemon8Probes(b *testing.B)   { benchmarkDaemon(b, 8) }
func BenchmarkDaemon256Probes(b *testing.B) { benchmarkDaemon(b, 256) }

func cpu(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func resident(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(v)[0])
			if err != nil {
				b.Fatal(err)
			}
			return float64(kb) / 1024
		}
	}
	return 0
}

// BenchmarkReplay tells readings a second, from CSV to verdict: three batches
// with three rules each in one unit.
func BenchmarkReplay(b *testing.B) {
	dir := b.TempDir()
	put := func(name, text string) string {
		path := dir + "/" + name
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		return path
	}
	const n = 1_000_000
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var csv strings.Builder
	csv.WriteString("time,probe,temperature_c\n")
	f := chipsim.Refrigerator(1)
	for i := range n {
		t := at.Add(time.Duration(i) * 10 * time.Second)
		fmt.Fprintf(&csv, "%s,p,%.3f\n", t.Format(time.RFC3339), f.At(t, "air"))
	}
	cfg := put("c.yaml", `probes: [{id: p, medium: air}]
units: [{id: u, range: {low: 2, high: 8}, probes: [p], alarms: [{id: warm, above: 8, for: 15m}]}]
profiles: [{id: l, source: bench, range: {low: 2, high: 8}, rules: [{id: warm, above: 8, total: 200h}, {id: day, above: 8, total: 20h, within: 24h}, {id: mkt, mkt_above: 9, within: 24h}]}]
`)
	batches := "batches:\n"
	for i := range 3 {
		batches += fmt.Sprintf("  - {id: B%d, profile: l, placements: [{unit: u, from: 2026-01-01T0%d:00:00Z}]}\n", i, i+1)
	}
	args := []string{"replay", "--config", cfg, "--readings", put("r.csv", csv.String()), "--batches", put("b.yaml", batches), "--json"}
	for b.Loop() {
		if code := run(&app{b.Context(), strings.NewReader(""), io.Discard, os.Stderr}, args); code != 0 {
			b.Fatalf("exit %d", code)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "readings/s")
}
