package chips

import (
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/onewire"

	"coldkeep/sensor"
)

// The DS18B20, after Maxim's datasheet 19-7487 rev 6.
const (
	ds18b20Family = 0x28
	ds18b20Low    = sensor.Temp(-55000) // p. 1
	ds18b20High   = sensor.Temp(125000)

	powerOn = sensor.Temp(85000)

	cmdConvert        = 0x44 // p. 11
	cmdReadScratchpad = 0xbe // p. 12

	// tCONV at 12 bit is at most 750 ms (p. 20). Lower resolutions are
	// quicker; one wait serves them all.
	conversionTime = 755 * time.Millisecond
)

// A ds18b20 is one chip on a bus. periph's driver is not used for it, because
// it hides the nine bytes by which a false temperature is known: it lets an
// all-zero answer pass as 0 °C and the power-on value as 85 °C.
type ds18b20 struct {
	rom   onewire.Address
	known bool
	last  scratchpad
	temp  sensor.Temp // of last
	alone bool        // the value before was an 85 °C out of nothing
}

// A scratchpad is the chip's memory as it is sent: temperature (2), TH, TL,
// configuration, reserved (3), CRC (p. 9).
type scratchpad [9]byte

// start tells the chip to convert, and whether it says that it does: while it
// converts it answers with zeros (p. 11).
func (c *ds18b20) start(b onewire.Bus) (bool, error) {
	d := onewire.Dev{Bus: b, Addr: c.rom}
	status := []byte{0xff}
	if err := d.Tx([]byte{cmdConvert}, status); err != nil {
		return false, fmt.Errorf("start conversion: %w", err)
	}
	return status[0] == 0, nil
}

// read takes what was converted. Damaged bytes are asked for once more.
func (c *ds18b20) read(b onewire.Bus, started bool) outcome {
	d := onewire.Dev{Bus: b, Addr: c.rom}
	var s scratchpad
	var o outcome
	for range 2 {
		s = scratchpad{}
		if err := d.Tx([]byte{cmdReadScratchpad}, s[:]); err != nil {
			o = outcome{fault: sensor.FaultBus, cause: fmt.Errorf("read scratchpad: %w", err)}
			if isAbsent(err) {
				o.fault = sensor.FaultAbsent
			}
			continue
		}
		raw, fault := s.temperature()
		if o = (outcome{raw: raw, fault: fault}); fault != "" {
			o.cause = fmt.Errorf("scratchpad % x", s[:])
		}
		if fault != sensor.FaultCRC {
			break
		}
	}
	if o.fault != "" {
		return o
	}
	// A chip that did not say that it converts may be one that says it oddly:
	// then its value moves all the same.
	same := !c.known || s == c.last
	// Some clones show their power-on value with the 0x10 of a true 85 °C: so
	// one that comes out of nothing is believed only when it comes twice.
	sudden := o.raw == powerOn && !(c.known && c.temp > powerOn-10_000) && !c.alone
	if c.alone = sudden; sudden {
		return outcome{fault: sensor.FaultPowerOn, cause: fmt.Errorf("85 °C at once: scratchpad % x", s[:])}
	}
	c.known, c.last, c.temp = true, s, o.raw
	if !started && same {
		return outcome{fault: sensor.FaultStale, cause: errors.New("the chip did not begin to convert, and its value is the one before")}
	}
	return o
}

// temperature reads the scratchpad, or says why it cannot be believed.
func (s scratchpad) temperature() (sensor.Temp, sensor.Fault) {
	switch {
	case s == scratchpad{}:
		// Zeros have a CRC of zero: it proves nothing here.
		return 0, sensor.FaultAllZero
	case s == scratchpad{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}:
		return 0, sensor.FaultAbsent // nobody pulled the line down
	case crc8(s[:8]) != s[8]:
		return 0, sensor.FaultCRC
	}
	raw := int16(uint16(s[0]) | uint16(s[1])<<8)
	// 85 °C is a temperature too; as the power-on value it comes with 0x0C in
	// byte 6, which a conversion that gives 0x0550 leaves at 0x10.
	if raw == 0x0550 && s[6] == 0x0c {
		return 0, sensor.FaultPowerOn
	}
	// Below 12 bit the lowest bits are undefined (p. 4, table 2): R1 R0 are
	// bits 6 and 5 of byte 4.
	raw &^= 1<<(3-int16(s[4]>>5&3)) - 1
	t, ok := sensor.Celsius(float64(raw) / 16)
	if !ok || t < ds18b20Low || t > ds18b20High {
		return 0, sensor.FaultOutOfRange
	}
	return t, ""
}
