package main

import (
	"testing"

	"coldkeep/sensor"
)

// The one in the hand is told, once, though its neighbours warm a little and
// one of them is carried past at the same time.
func TestTheProbeInTheHandIsMarked(t *testing.T) {
	w := newWarming()
	var told []string
	for _, now := range []map[string]sensor.Temp{
		{"a": 5000, "b": 5100, "c": -20000},
		{"a": 5100, "b": 5100, "c": -19500},
		{"a": 6400, "b": 5100, "c": -19000}, // 1.4 is too little
		{"a": 6500, "b": 5600, "c": -19000}, // too little more than the next
		{"a": 7500, "b": 5700, "c": -19000}, // a
		{"a": 9000, "b": 6000},
		{"a": 9000, "b": 6000, "c": -20000},
		{"a": 9000, "b": 7600, "c": -20000}, // b, while a still cools
		{"b": 12000},
		{"a": 5000, "b": 5100, "c": -20000},
		{"a": 5000, "b": 5100, "c": -14000}, // c
	} {
		if id := w.see(now); id != "" {
			told = append(told, id)
		}
	}
	if len(told) != 3 || told[0] != "a" || told[1] != "b" || told[2] != "c" {
		t.Errorf("told %v, want a, b, c", told)
	}
}
