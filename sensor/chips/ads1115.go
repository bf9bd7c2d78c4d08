package chips

import (
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/ads1x15"

	"coldkeep/sensor"
)

// The ADS1115, after Texas Instruments' datasheet SBAS444.
const (
	ads1115Conversion = 0x00 // section 7.5
	ads1115Config     = 0x01
	ads1115Idle       = 0x8000 // OS, where it is read: no conversion is under way
	ads1115Held       = 0x7fff

	// 32 conversions a second: 31 ms, and 10 % for its clock's spread.
	ads1115Rate  = 32
	ads1115Slack = 5 * time.Millisecond

	// A thermistor that would be colder or warmer than this is none any more.
	thermistorOpen  = -60.0
	thermistorShort = 155.0

	// The supply is told by the config and not measured, and may be this much
	// lower. An input whose thermistor has come off shows the supply itself:
	// held against a supply that is 1 % too high it would be 100 resistors in
	// series, which is −52 °C of a thermistor of 10 kΩ.
	supplySpread = 0.05
)

// An ads1115 is one input of the chip, with a thermistor from it to ground and
// a fixed resistor from it to the supply. The four inputs share one converter,
// so that each is converted in read, one after the other, and not together.
//
// The conversion is started through periph's driver, which waits as long as it
// should last and never looks whether it has ended: with a slow clock it reads
// what the input before has left. So the end, the input and the value are read
// here.
type ads1115 struct {
	addr     uint16
	settings sensor.Settings
	pin      ads1x15.PinADC
	config   uint16 // that is written for this input, without OS
	full     float64
	bus      turned
}

func newADS1115(p sensor.Probe, addr uint16) *ads1115 {
	return &ads1115{addr: addr, settings: p.Settings}
}

func (c *ads1115) start(b i2c.Bus) (time.Duration, outcome) {
	c.bus.Bus = b
	if c.pin != nil {
		return 0, outcome{}
	}
	dev, err := ads1x15.NewADS1115(&c.bus, &ads1x15.Opts{I2cAddress: c.addr})
	if err != nil {
		return 0, outcome{fault: sensor.FaultBus, cause: fmt.Errorf("set up chip: %w", err)}
	}
	channel := ads1x15.Channel0 + ads1x15.Channel(c.settings.Input)
	supply := physic.ElectricPotential(c.settings.Supply * float64(physic.Volt))
	pin, err := dev.PinForChannel(channel, supply, ads1115Rate*physic.Hertz, ads1x15.BestQuality)
	if err != nil {
		return 0, outcome{fault: sensor.FaultBus, cause: fmt.Errorf("set up input: %w", err)}
	}
	_, most := pin.Range()
	c.full = float64(most.V) / float64(physic.Volt)
	gain := uint16(0x0000) // 6.144 V
	if c.settings.Supply <= 4.096 {
		gain = 0x0200
	}
	if c.settings.Supply <= 2.048 {
		gain = 0x0400
	}
	if c.settings.Supply <= 1.024 {
		gain = 0x0600
	}
	// Table 7-3: input, gain, single shot, 32 a second, comparator off.
	c.config = uint16(channel)<<12 | gain | 0x0100 | 0x0040 | 0x0003
	c.pin = pin
	return 0, outcome{}
}

func (c *ads1115) read(b i2c.Bus) outcome {
	c.bus.Bus = b
	o := c.value(b)
	if o.fault != "" {
		c.pin = nil
	}
	return o
}

func (c *ads1115) value(b i2c.Bus) outcome {
	if _, err := c.pin.Read(); err != nil {
		return outcome{fault: i2cFault(err), cause: fmt.Errorf("convert: %w", err)}
	}
	config, err := word(b, c.addr, ads1115Config)
	if err == nil && config != 0 && config&ads1115Idle == 0 {
		time.Sleep(ads1115Slack)
		config, err = word(b, c.addr, ads1115Config)
	}
	switch {
	case err != nil:
		return outcome{fault: i2cFault(err), cause: fmt.Errorf("read settings: %w", err)}
	case config == 0x0000:
		return outcome{fault: sensor.FaultAllZero, cause: fmt.Errorf("read settings: only zeros")}
	case config == 0xffff:
		return outcome{fault: sensor.FaultAllOnes, cause: fmt.Errorf("read settings: only ones")}
	case config&ads1115Held != c.config:
		// Another chip, or one that was reset between: both hold something else.
		return outcome{fault: sensor.FaultReset, cause: fmt.Errorf("read settings: %#04x where %#04x was written: was it reset, or is it another chip?", config, c.config)}
	case config&ads1115Idle == 0:
		return outcome{fault: sensor.FaultBusy, cause: fmt.Errorf("read settings: %#04x: the conversion does not end", config)}
	}
	raw, o := agreedWord(b, c.addr, "conversion", ads1115Conversion)
	if o.fault != "" {
		return o
	}
	volts := float64(int16(raw)) / (1 << 15) * c.full
	return thermistorOutcome(c.settings, volts)
}

// thermistorOutcome finds the temperature, or what is wrong with the
// thermistor, from the voltage over it.
func thermistorOutcome(s sensor.Settings, volts float64) outcome {
	if volts >= s.Supply*(1-supplySpread) {
		return outcome{fault: sensor.FaultOpen, cause: fmt.Errorf("%.4f V of %.3f V supply: nothing flows through the thermistor, or it is too cold for a resistor of %g Ω: a larger one would tell", volts, s.Supply, s.Series)}
	}
	ohms := s.Series * volts / (s.Supply - volts)
	c := thermistorTemp(s, ohms)
	switch {
	case volts <= 0 || c > thermistorShort:
		return outcome{fault: sensor.FaultShort, cause: fmt.Errorf("%.4f V of %.3f V supply: %.0f Ω", volts, s.Supply, ohms)}
	case c < thermistorOpen:
		return outcome{fault: sensor.FaultOpen, cause: fmt.Errorf("%.4f V of %.3f V supply: %.0f Ω", volts, s.Supply, ohms)}
	}
	t, ok := sensor.Celsius(c)
	if !ok || t < -55_000 || t > 150_000 {
		return outcome{fault: sensor.FaultOutOfRange, cause: fmt.Errorf("%.0f Ω is %.1f °C", ohms, c)}
	}
	return outcome{raw: t}
}
