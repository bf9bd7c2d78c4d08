package sensor

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A BusKind is the kind of bus that a chip sits on.
type BusKind string

// The kinds of buses. Their names in the config begin so: onewire-1, i2c-1,
// spi-0.0.
const (
	OneWire BusKind = "onewire"
	I2C     BusKind = "i2c"
	SPI     BusKind = "spi"
)

// A Chip is a chip that coldkeep can read.
type Chip struct {
	Name      string // as in the config: ds18b20
	Bus       BusKind
	Low, High Temp // what it can measure, both ends included
	// Step is the finest difference that it shows. Frozen is how long the very
	// same value is possible where the config does not say.
	Step      Temp
	Frozen    time.Duration
	Addresses []uint16 // on I²C, those that its pins can give it
	Example   string   // of its address
	Settings  []string // the keys of Settings that it can be told
	Text      string   // one line for a person
}

// A coarse chip may show one value all day in a fridge that is well kept; the
// noise of a fine one never stands still so long.
const (
	coarseFrozen = 24 * time.Hour
	fineFrozen   = 6 * time.Hour
)

func addresses(first, last uint16) (list []uint16) {
	for a := first; a <= last; a++ {
		list = append(list, a)
	}
	return list
}

// Chips lists what can be read, by name.
func Chips() []Chip {
	return []Chip{
		{Name: "ads1115", Bus: I2C, Low: -55_000, High: 150_000, Step: 10, Frozen: fineFrozen, Addresses: addresses(0x48, 0x4b), Example: "0x48",
			Settings: []string{"input", "series", "supply", "r25", "beta", "a", "b", "c"},
			Text:     "ADS1115 converter with a thermistor from its input to ground and a fixed resistor to the supply"},
		{Name: "bme280", Bus: I2C, Low: -40_000, High: 85_000, Step: 10, Frozen: fineFrozen, Addresses: addresses(0x76, 0x77), Example: "0x76",
			Text: "BME280 air sensor, -40…85 °C"},
		{Name: "bmp280", Bus: I2C, Low: -40_000, High: 85_000, Step: 10, Frozen: fineFrozen, Addresses: addresses(0x76, 0x77), Example: "0x76",
			Text: "BMP280 air sensor, -40…85 °C"},
		{Name: "ds18b20", Bus: OneWire, Low: -55_000, High: 125_000, Step: 62, Frozen: coarseFrozen, Example: "28-00000c8cf9b1",
			Text: "DS18B20 one-wire probe, -55…125 °C in steps of 1/16 °C; powered by a third wire"},
		{Name: "hdc302x", Bus: I2C, Low: -40_000, High: 125_000, Step: 3, Frozen: fineFrozen, Addresses: addresses(0x44, 0x47), Example: "0x44",
			Text: "HDC3020, HDC3021, HDC3022 air sensor, -40…125 °C"},
		{Name: "max31856", Bus: SPI, Low: -210_000, High: 1_000_000, Step: 8, Frozen: fineFrozen,
			Settings: []string{"element", "mains"},
			Text:     "MAX31856 with a thermocouple; type T or K reach -200 °C"},
		{Name: "max31865", Bus: SPI, Low: -200_000, High: 550_000, Step: 32, Frozen: coarseFrozen,
			Settings: []string{"element", "wires", "reference", "mains"},
			Text:     "MAX31865 with a PT100 or PT1000, -200…550 °C: the one for -80 °C and for liquid nitrogen"},
		{Name: "mcp9808", Bus: I2C, Low: -40_000, High: 125_000, Step: 62, Frozen: coarseFrozen, Addresses: addresses(0x18, 0x1f), Example: "0x18",
			Text: "MCP9808 sensor, -40…125 °C in steps of 1/16 °C"},
		{Name: "sht4x", Bus: I2C, Low: -40_000, High: 125_000, Step: 3, Frozen: fineFrozen, Addresses: addresses(0x44, 0x46), Example: "0x44",
			Text: "SHT40, SHT41, SHT43, SHT45 air sensor, -40…125 °C"},
		{Name: "tmp102", Bus: I2C, Low: -40_000, High: 125_000, Step: 62, Frozen: coarseFrozen, Addresses: addresses(0x48, 0x4b), Example: "0x48",
			Text: "TMP102 sensor, -40…125 °C in steps of 1/16 °C"},
		{Name: "tmp117", Bus: I2C, Low: -55_000, High: 150_000, Step: 8, Frozen: fineFrozen, Addresses: addresses(0x48, 0x4b), Example: "0x48",
			Text: "TMP117 sensor, -55…150 °C, ±0.1 °C from -20 to 50 °C"},
	}
}

// BridgeAddresses are those that a DS2482-100's pins can give it.
var BridgeAddresses = addresses(0x18, 0x1b)

// ChipNamed finds a chip by its name in the config.
func ChipNamed(name string) (Chip, bool) {
	list := Chips()
	i := slices.IndexFunc(list, func(c Chip) bool { return c.Name == name })
	if i < 0 {
		return Chip{}, false
	}
	return list[i], true
}

// A Wrong says what is wrong with one field of a probe, and what would be right.
type Wrong struct{ Field, Text string }

// Wiring says what is wrong with a probe's chip, bus, address and settings.
// It opens nothing.
func (p Probe) Wiring() (list []Wrong) {
	bad := func(field, format string, args ...any) {
		list = append(list, Wrong{field, fmt.Sprintf(format, args...)})
	}
	c, ok := ChipNamed(p.Chip)
	if !ok {
		var names []string
		for _, c := range Chips() {
			names = append(names, c.Name)
		}
		bad("chip", "chip %q is not known here; %s are", p.Chip, strings.Join(names, ", "))
		return list
	}
	kind := c.Bus
	if p.Bridge != "" {
		kind = I2C
		if c.Bus != OneWire {
			bad("bridge", "a bridge is for one-wire chips; a %s is on %s", c.Name, c.Bus)
		}
		if _, err := I2CAddress(p.Bridge, BridgeAddresses); err != nil {
			bad("bridge", "%s: a DS2482-100", err)
		}
	}
	if p.Mux != "" {
		if kind != I2C {
			bad("mux", "a multiplexer is on an I²C bus; a %s is on %s", c.Name, kind)
		}
		if _, _, err := MuxPort(p.Mux); err != nil {
			bad("mux", "%s", err)
		}
	}
	if strings.TrimSpace(p.Bus) == "" {
		bad("bus", "the bus has no name; %s is one", exampleBus[kind])
	}
	// A name of the other kind's form is a mistake; a free name may be either.
	for k := range exampleBus {
		if k != kind && strings.HasPrefix(p.Bus, string(k)+"-") {
			bad("bus", "a %s is on a bus such as %s, not on %q", c.Name, exampleBus[kind], p.Bus)
		}
	}
	switch c.Bus {
	case OneWire:
		if _, err := ROM(p.Address); err != nil {
			bad("address", "%s", err)
		}
	case I2C:
		a, err := I2CAddress(p.Address, c.Addresses)
		if err != nil {
			bad("address", "%s: a %s, as its pins are wired", err, c.Name)
		}
		if mux, _, err := MuxPort(p.Mux); err == nil && mux == a {
			bad("address", "%s is the multiplexer's own address", p.Address)
		}
	case SPI:
		if p.Address != "" {
			bad("address", "a chip on SPI has no address: its bus says which it is; leave it out")
		}
	}
	return append(list, p.settings(c)...)
}

// Place is where on the wires a probe is: no two can be at one.
func (p Probe) Place() string {
	parts := []string{p.Bus}
	for _, s := range []string{p.Mux, p.Bridge, p.Address} {
		if s != "" {
			parts = append(parts, strings.ToLower(s))
		}
	}
	if p.Chip == "ads1115" { // one chip, four probes
		parts = append(parts, fmt.Sprintf("A%d", p.Settings.Input))
	}
	return strings.Join(parts, " ")
}

var exampleBus = map[BusKind]string{OneWire: "onewire-1", I2C: "i2c-1", SPI: "spi-0.0"}

// Elements are the sensing elements that a chip can have; nil where it has its
// own.
func Elements(chip string) []string {
	switch chip {
	case "max31865":
		return []string{"pt100", "pt1000"}
	case "max31856":
		return []string{"K", "T", "J", "N", "E", "R", "S", "B"}
	}
	return nil
}

func (p Probe) settings(c Chip) (list []Wrong) {
	s := p.Settings
	bad := func(field, format string, args ...any) {
		list = append(list, Wrong{field, fmt.Sprintf(format, args...)})
	}
	for _, x := range []struct {
		key   string
		given bool
	}{{"element", s.Element != ""}, {"wires", s.Wires != 0}, {"reference", s.Reference != 0}, {"mains", s.Mains != 0}, {"input", s.Input != 0}, {"series", s.Series != 0},
		{"supply", s.Supply != 0}, {"r25", s.R25 != 0}, {"beta", s.Beta != 0}, {"a", s.A != 0}, {"b", s.B != 0}, {"c", s.C != 0}} {
		if x.given && !slices.Contains(c.Settings, x.key) {
			bad(x.key, "a %s has no setting %s", c.Name, x.key)
		}
	}
	if len(list) > 0 {
		return list
	}
	if e := Elements(c.Name); e != nil && !slices.Contains(e, s.Element) {
		bad("element", "a %s must know its element: one of %s", c.Name, strings.Join(e, ", "))
	}
	if s.Mains != 0 && s.Mains != 50 && s.Mains != 60 {
		bad("mains", "%d Hz; 50 or 60 can be", s.Mains)
	}
	if s.Wires < 0 || s.Wires == 1 || s.Wires > 4 {
		bad("wires", "%d wires; 2, 3 or 4 can be", s.Wires)
	}
	if s.Reference != 0 && (s.Reference < 100 || s.Reference > 10_000) {
		bad("reference", "%g Ω; 400 or 430 is usual with a pt100, 4000 or 4300 with a pt1000", s.Reference)
	}
	if c.Name == "ads1115" {
		list = append(list, s.thermistor()...)
	}
	return list
}

func (s Settings) thermistor() (list []Wrong) {
	bad := func(field, format string, args ...any) {
		list = append(list, Wrong{field, fmt.Sprintf(format, args...)})
	}
	if s.Input < 0 || s.Input > 3 {
		bad("input", "input %d; 0 to 3 can be, for A0 to A3", s.Input)
	}
	if s.Series < 100 || s.Series > 1e6 {
		bad("series", "%g Ω; the fixed resistor from the supply to the thermistor must be told, 10000 for example", s.Series)
	}
	if s.Supply < 1 || s.Supply > 5.5 {
		bad("supply", "%g V; the voltage across resistor and thermistor must be told, 3.3 for example", s.Supply)
	}
	steinhart := s.A != 0 || s.B != 0 || s.C != 0
	switch {
	case steinhart && (s.R25 != 0 || s.Beta != 0):
		bad("a", "a thermistor is told by a, b and c of Steinhart–Hart or by r25 and beta; one of the two can be")
	case steinhart && (s.A <= 0 || s.B <= 0 || s.C < 0):
		bad("a", "Steinhart–Hart needs a and b above 0 and c not below it: 1/T = a + b·ln R + c·(ln R)³, T in kelvin, R in Ω")
	case !steinhart && (s.R25 < 100 || s.R25 > 1e6 || s.Beta < 1000 || s.Beta > 10_000):
		bad("r25", "the thermistor must be told: r25 and beta, 10000 and 3950 for example, or a, b and c of Steinhart–Hart")
	}
	return list
}

// ROM reads a DS18B20's address as the kernel writes it, the family, a hyphen,
// and the serial's 12 hex digits, highest byte first. It answers family and
// serial in the order of the wire.
func ROM(s string) (rom [7]byte, err error) {
	family, serial, ok := strings.Cut(strings.ToLower(s), "-")
	f, err1 := hex.DecodeString(family)
	n, err2 := hex.DecodeString(serial)
	if !ok || err1 != nil || err2 != nil || len(f) != 1 || len(n) != 6 {
		return rom, fmt.Errorf("address %q: write it as the kernel does, for example 28-00000c8cf9b1 (family, hyphen, 12 hex digits)", s)
	}
	if f[0] != 0x28 {
		return rom, fmt.Errorf("address %q: family %s is no DS18B20, whose addresses begin with 28-", s, family)
	}
	rom[0] = f[0]
	for i := range 6 {
		rom[1+i] = n[5-i]
	}
	return rom, nil
}

// I2CAddress reads an address like 0x18, which must be one of those given.
func I2CAddress(s string, of []uint16) (uint16, error) {
	n, err := strconv.ParseUint(strings.ToLower(s), 0, 16)
	if err != nil || !slices.Contains(of, uint16(n)) {
		return 0, fmt.Errorf("address %q: one of %#x…%#x is needed", s, of[0], of[len(of)-1])
	}
	return uint16(n), nil
}

// MuxPort reads a multiplexer's address and port, 0x70/3.
func MuxPort(s string) (addr uint16, port int, err error) {
	a, p, ok := strings.Cut(s, "/")
	addr, err = I2CAddress(a, addresses(0x70, 0x77))
	port, perr := strconv.Atoi(p)
	if !ok || err != nil || perr != nil || port < 0 || port > 7 {
		return 0, 0, fmt.Errorf("multiplexer %q: write its address, 0x70 to 0x77, and its port, 0 to 7: 0x70/3", s)
	}
	return addr, port, nil
}
