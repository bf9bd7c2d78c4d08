package chips_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"coldkeep/sensor"
	"coldkeep/sensor/chips"
	"coldkeep/sensor/chipsim"
)

// four makes 32 chips on 4 one-wire buses.
func four(t testing.TB, name string, buses, each int) []sensor.Bus {
	t.Helper()
	var probes []sensor.Probe
	for n := range buses {
		bus := fmt.Sprintf("%s%d", name, n)
		sim, err := chipsim.NewOneWire(bus)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { sim.Close() })
		for i := range each {
			c, err := chipsim.NewDS18B20(address(i), constant(float64(i%20)))
			if err != nil {
				t.Fatal(err)
			}
			sim.Add(c)
			probes = append(probes, sensor.Probe{ID: fmt.Sprintf("%s-%d", bus, i), Chip: "ds18b20", Bus: bus, Address: address(i)})
		}
	}
	list, err := chips.Open(t.Context(), probes, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// together sweeps all buses at once and counts what has no temperature.
func together(t testing.TB, buses []sensor.Bus) (faults int) {
	lists := make([][]sensor.Reading, len(buses))
	var all sync.WaitGroup
	for i, b := range buses {
		all.Go(func() { lists[i] = b.Sweep(t.Context(), time.Now()) })
	}
	all.Wait()
	for _, list := range lists {
		for _, r := range list {
			if r.Fault != "" {
				faults++
			}
		}
	}
	return faults
}

// Buses do not wait for each other: 32 probes on four take one conversion (the
// simulated wire itself takes no time).
func TestFourBusesTakeOneConversion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		buses := four(t, "four", 4, 8)
		begun := time.Now()
		faults := together(t, buses)
		if took := time.Since(begun); took != 755*time.Millisecond || faults != 0 {
			t.Errorf("took %v with %d faults, want 755 ms and none", took, faults)
		}
		for _, b := range buses {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func benchmarkSweep(b *testing.B, name string, buses, each int) {
	list := four(b, name, buses, each)
	b.ReportAllocs()
	for b.Loop() {
		if n := together(b, list); n != 0 {
			b.Fatalf("%d faults", n)
		}
	}
	for _, bus := range list {
		if err := bus.Close(); err != nil {
			b.Error(err)
		}
	}
}

func BenchmarkSweep64OnOneBus(b *testing.B)    { benchmarkSweep(b, "bench64-", 1, 64) }
func BenchmarkSweep32OnFourBuses(b *testing.B) { benchmarkSweep(b, "bench32-", 4, 8) }
