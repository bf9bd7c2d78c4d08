package max31856

import (
	"slices"

	"periph.io/x/conn/v3/physic"
)

// What a step of the two temperatures is.
const (
	hotStep      = physic.Kelvin / 128
	junctionStep = physic.Kelvin / 64
)

// What the cold junction's sensor can measure, °C (p. 3).
const (
	junctionLow  = -55
	junctionHigh = 125
)

// hot is the linearised temperature: 19 bits from the left, in two's
// complement; the five bits below mean nothing.
func (r registers) hot() physic.Temperature {
	v := int32(uint32(r[regLTC])<<24|uint32(r[regLTC+1])<<16|uint32(r[regLTC+2])<<8) >> 13
	return physic.Temperature(v)*hotStep + physic.ZeroCelsius
}

// junction is the cold junction's temperature: 14 bits from the left, in two's
// complement.
func (r registers) junction() physic.Temperature {
	v := int16(uint16(r[regCJT])<<8|uint16(r[regCJT+1])) >> 2
	return physic.Temperature(v)*junctionStep + physic.ZeroCelsius
}

// mark says whether the cold junction is still the mark.
func (r registers) mark() bool {
	return r[regCJT] == mark>>8 && r[regCJT+1]&0xfc == mark&0xff
}

// hold says whether the registers have the settings. The two highest bits of
// the mask are reserved.
func (r registers) hold(settings [10]byte) bool {
	r[regMask] &= 0x3f
	return slices.Equal(r[:len(settings)], settings[:])
}

// lost says whether the settings are those of power-on. CR0 does not count: it
// is written at every conversion.
func (r registers) lost() bool {
	return slices.Equal(r[regCR1:len(powerOn)], powerOn[regCR1:])
}

func (r registers) ones() bool {
	return !slices.ContainsFunc(r[:], func(b byte) bool { return b != 0xff })
}
