package store

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// What was imported is kept with its event, comes back as it was, and stands.
func TestImportsStand(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	first := coldchain.Import{Seq: 2, Probe: "logger-A1", Readings: []sensor.Reading{
		{Seq: 2, Probe: "logger-A1", Time: 1000, Temp: 5000, Raw: 5000}, {Seq: 2, Probe: "logger-A1", Time: 601_000, Fault: "not_a_number"}, {Seq: 2, Probe: "logger-A1", Time: 1_201_000, Temp: -4100, Raw: -4000}}}
	second := coldchain.Import{Seq: 4, Probe: "logger-A1", Readings: []sensor.Reading{{Seq: 4, Probe: "logger-A1", Time: 1_801_000, Temp: 1, Raw: 1}}}
	step := func(seq uint64, x coldchain.Import) coldchain.Step {
		return coldchain.Step{At: 9, Events: []coldchain.Event{{V: 1, Seq: seq, Kind: coldchain.ReadingsImported, Probe: x.Probe}}, Imports: []coldchain.Import{x}}
	}
	s.fault = func(op string) error {
		if op == "commit" {
			return errors.New("no room")
		}
		return nil
	}
	if err := s.Record(t.Context(), step(2, first)); err == nil {
		t.Fatal("recorded on a disk that fails")
	}
	s.fault = nil
	if list, err := s.Imports(t.Context(), "", 0); err != nil || len(list) != 0 {
		t.Fatalf("half a step was recorded: %v, %v", list, err)
	}
	for _, x := range []coldchain.Step{step(2, first), step(4, second)} {
		if err := s.Record(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	s = open(t, dir)
	got, err := s.Imports(t.Context(), "", 0)
	if d := cmp.Diff([]coldchain.Import{first, second}, got); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
	if got, err := s.Imports(t.Context(), "LOGGER-a1", 1_201_001); err != nil || len(got) != 1 || got[0].Seq != 4 {
		t.Errorf("from a time on: %v, %v", got, err)
	}
	list, err := s.Readings(t.Context(), "logger-a1", 601_000, 1_801_001, 2)
	if d := cmp.Diff(first.Readings[1:], list); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
	for _, q := range []string{"UPDATE import SET probe = 'x'", "DELETE FROM import"} {
		if _, err := s.w.Exec(q); err == nil || !strings.Contains(err.Error(), "never") {
			t.Errorf("%s: %v", q, err)
		}
	}
}

// Packed readings come back as they were; damaged bytes are told.
func TestImportsPacked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []sensor.Reading
		for _, w := range drawSweeps(t) {
			for _, r := range w.Readings {
				r.Seq, r.Probe = 7, "logger-A"
				list = append(list, r)
			}
		}
		data, err := packImport(list)
		if err != nil {
			t.Fatal(err)
		}
		got, err := unpackImport(7, "logger-A", data)
		if d := cmp.Diff(list, got); err != nil || d != "" {
			t.Fatalf("%v\n%s", err, d)
		}
		if cut := rapid.IntRange(0, len(data)-1).Draw(t, "cut"); cut < len(data) {
			if got, err := unpackImport(7, "logger-A", data[:cut]); err == nil && len(got) == len(list) {
				t.Fatalf("%d bytes of %d were read as all of it", cut, len(data))
			}
		}
	})
}
