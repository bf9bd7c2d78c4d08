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
	WrongIdentity Trouble = "wrong_identity" // another chip answers at the address
	Intermittent  Trouble = "intermittent"   // does not acknowledge now and then: every third transaction
	Zeros         Trouble = "zeros"          // whatever is read is zeros
	Ones          Trouble = "ones"           // whatever is read is ones
	Busy          Trouble = "busy"           // never says that it has finished
	Open          Trouble = "open"           // its sensing element is broken
	Shorted       Trouble = "shorted"        // its sensing element is shorted
)

func sixteenths(c float64) int16 { return int16(math.Round(c * 16)) }
