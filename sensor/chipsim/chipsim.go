// Package chipsim puts simulated chips behind periph's own registries, at
// register and wire level, so that demo and tests run the very code that runs
// on a Pi: the search, the addresses, the CRCs, the conversions and their time.
//
// Temperatures come from a Source, a function of time; Fridge is one that
// behaves like a fridge. Troubles are what goes wrong with chips and buses.
package chipsim

import (
	"math"
	"time"
)

// A Source gives the temperature at a chip in °C.
type Source func(at time.Time) float64

// A Trouble is something that is wrong with a chip.
type Trouble string

// The troubles. None is the ordinary state.
const (
	None          Trouble = ""
	Unplugged     Trouble = "unplugged"      // does not answer
	Noise         Trouble = "noise"          // its bytes arrive damaged
	Frozen        Trouble = "frozen"         // does not convert when told to
	PoweredAnew   Trouble = "powered_anew"   // lost power: shows its power-on value, 85 °C
	WrongIdentity Trouble = "wrong_identity" // MCP9808: another chip answers
)

func sixteenths(c float64) int16 { return int16(math.Round(c * 16)) }
