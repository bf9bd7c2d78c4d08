package chips

import (
	"testing"

	"periph.io/x/conn/v3/physic"

	"coldkeep/sensor"
)

// ready is a bus whose one chip has always finished: what is left of a reading
// is the driver's own time. Keys are what is written, values what is read.
type ready map[string][]byte

func (r ready) String() string                  { return "ready" }
func (r ready) SetSpeed(physic.Frequency) error { return nil }

func (r ready) Tx(_ uint16, w, got []byte) error {
	copy(got, r[string(w)])
	return nil
}

// BenchmarkRead is the time and the memory of one reading of each chip apart
// from its conversion. Not here are the ADS1115, which waits within periph's
// driver, and the BMP280, BME280 and TMP102, which must be seen to begin and to
// end. The DS18B20, the MAX31865 and the MAX31856 have benchmarks of their own.
func BenchmarkRead(b *testing.B) {
	sht := []byte{0x66, 0x66, 0x93, 0x80, 0x00, 0xa2}
	for name, answers := range map[string]ready{
		"mcp9808": {"\x06": {0x00, 0x54}, "\x07": {0x04, 0x00}, "\x05": {0x00, 0x40}},
		"sht4x":   {"\x89": sht, "": sht},
		"tmp117":  {"\x0f": {0x01, 0x17}, "\x01": {0x24, 0x20}, "\x00": {0x02, 0x00}},
		"hdc302x": {"\x37\x81": {0x30, 0x00, crcSensirion([]byte{0x30, 0x00})}, "\xf3\x2d": {0x00, 0x00, 0x81}, "": sht},
	} {
		b.Run(name, func(b *testing.B) {
			c, _ := sensor.ChipNamed(name)
			chip, err := newI2CChip(sensor.Probe{Chip: name}, c.Addresses[0])
			if err != nil {
				b.Fatal(err)
			}
			if _, o := chip.start(answers); o.fault != "" {
				b.Fatal(o)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, o := chip.start(answers); o.fault != "" {
					b.Fatal(o)
				}
				if o := chip.read(answers); o.fault != "" {
					b.Fatal(o)
				}
			}
		})
	}
}
