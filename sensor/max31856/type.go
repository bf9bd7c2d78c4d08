package max31856

import (
	"fmt"
	"strings"

	"periph.io/x/conn/v3/physic"
)

// A Type is the letter of a thermocouple.
type Type byte

// The types that the chip linearises.
const (
	B Type = 'B'
	E Type = 'E'
	J Type = 'J'
	K Type = 'K'
	N Type = 'N'
	R Type = 'R'
	S Type = 'S'
	T Type = 'T'
)

// letters are in the order of CR1.
const letters = "BEJKNRST"

// ParseType reads a letter.
func ParseType(s string) (Type, error) {
	if len(s) != 1 || !strings.Contains(letters, s) {
		return 0, fmt.Errorf("max31856: type %q is none of B E J K N R S T", s)
	}
	return Type(s[0]), nil
}

// String gives the letter.
func (t Type) String() string { return string([]byte{byte(t)}) }

func (t Type) code() byte { return byte(strings.IndexByte(letters, byte(t))) }

// Range is what the chip linearises of a type, both ends included: a matter of
// the datasheet's table of types. Both are 0 K for what is no type.
func (t Type) Range() (low, high physic.Temperature) {
	l, h := t.limits()
	if l == h {
		return 0, 0
	}
	return physic.Temperature(l)*physic.Kelvin + physic.ZeroCelsius, physic.Temperature(h)*physic.Kelvin + physic.ZeroCelsius
}

// limits are the same in whole °C.
func (t Type) limits() (low, high int) {
	switch t {
	case B:
		return 250, 1820
	case E:
		return -200, 1000
	case J:
		return -210, 1200
	case K:
		return -200, 1372
	case N:
		return -200, 1300
	case R, S:
		return -50, 1768
	case T:
		return -200, 400
	}
	return 0, 0
}
