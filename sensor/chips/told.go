package chips

import (
	"bytes"
	"errors"
	"fmt"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"

	"coldkeep/sensor"
)

// A told is a bus on which a driver hears what was read from its chip, and
// judged, before: the key is what the driver writes to read. Its writes go
// nowhere. So a driver that waits, forgets errors or changes the chip's mode
// serves for what is right in it, its conversion to a temperature.
type told map[string][]byte

func (t told) String() string                  { return "told" }
func (t told) SetSpeed(physic.Frequency) error { return nil }

func (t told) Tx(_ uint16, w, r []byte) error {
	if len(r) == 0 {
		return nil
	}
	said, ok := t[string(w)]
	if !ok || len(said) != len(r) {
		return fmt.Errorf("% x was not read before: %w", w, errors.ErrUnsupported)
	}
	copy(r, said)
	return nil
}

// steadily reads n bytes twice. A chip without a checksum has no other way to
// show that its bytes arrived as they were sent: those that differ are damaged.
// It is for registers that do not change by themselves in between.
func steadily(b i2c.Bus, addr uint16, what string, reg byte, n int) ([]byte, outcome) {
	first, second := make([]byte, n), make([]byte, n)
	for _, r := range [][]byte{first, second} {
		if err := b.Tx(addr, []byte{reg}, r); err != nil {
			return nil, outcome{fault: i2cFault(err), cause: fmt.Errorf("read %s: %w", what, err)}
		}
	}
	if !bytes.Equal(first, second) {
		return nil, outcome{fault: sensor.FaultCRC, cause: fmt.Errorf("read %s: % x, and % x when read again", what, first, second)}
	}
	return first, outcome{}
}

// stuck names an answer of zeros or of ones alone; it gives no fault for others.
func stuck(what string, r []byte) outcome {
	switch {
	case bytes.Count(r, []byte{0x00}) == len(r):
		return outcome{fault: sensor.FaultAllZero, cause: fmt.Errorf("read %s: only zeros", what)}
	case bytes.Count(r, []byte{0xff}) == len(r):
		return outcome{fault: sensor.FaultAllOnes, cause: fmt.Errorf("read %s: only ones", what)}
	}
	return outcome{}
}

// within turns a driver's temperature into an outcome, where the chip can
// measure it.
func within(t physic.Temperature, low, high sensor.Temp) outcome {
	raw, ok := sensor.Celsius(float64(t-physic.ZeroCelsius) / float64(physic.Celsius))
	if !ok || raw < low || raw > high {
		return outcome{fault: sensor.FaultOutOfRange, cause: fmt.Errorf("read temperature: %s", t)}
	}
	return outcome{raw: raw}
}
