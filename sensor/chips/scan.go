package chips

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"
	"periph.io/x/conn/v3/onewire"
	"periph.io/x/conn/v3/onewire/onewirereg"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/conn/v3/spi/spireg"

	"coldkeep/sensor"
)

// Found is something that answers on a bus, or a bus that was not asked.
type Found struct {
	Bus     string `json:"bus"`              // as the config writes it
	Chip    string `json:"chip,omitempty"`   // "" where it is none that coldkeep reads, or none that can be told
	Mux     string `json:"mux,omitempty"`    // behind this port, 0x70/3
	Bridge  string `json:"bridge,omitempty"` // behind this bridge, 0x18
	Address string `json:"address,omitempty"`
	Note    string `json:"note,omitempty"` // what is not sure of it
	Sure    bool   `json:"sure"`           // the chip has said which it is
}

// Scan asks what answers on the buses named, as the config names them: one-wire
// buses by the search that every chip takes part in, I²C and SPI by reading
// what tells a chip, without a write that could switch something. Where none
// is named all one-wire buses are asked, and the others only listed: an I²C bus
// of a display or a power supply is not for strangers.
//
// It answers what it found and, apart, what went wrong. Buses that hang hang it.
func Scan(names ...string) (list []Found, err error) {
	var errs []error
	asked := map[string]bool{}
	want := func(name string) bool {
		asked[name] = true
		return slices.Contains(names, name)
	}
	do := func(name string, open func() (closer, error), scan func(closer) ([]Found, error)) {
		b, err := open()
		if err != nil {
			errs = append(errs, fmt.Errorf("scan %s: %w", name, err))
			return
		}
		found, err := scan(b)
		if err != nil {
			errs = append(errs, fmt.Errorf("scan %s: %w", name, err))
		}
		for i := range found {
			found[i].Bus = name
		}
		list = append(list, found...)
		if err := b.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", name, err))
		}
	}
	for _, ref := range onewirereg.All() {
		name := configName("onewire", ref.Name, ref.Number)
		if want(name) || len(names) == 0 {
			do(name, func() (closer, error) { return ref.Open() }, func(b closer) ([]Found, error) { return scanOneWire(b.(onewire.Bus)) })
		}
	}
	for _, ref := range i2creg.All() {
		name := configName("i2c", ref.Name, ref.Number)
		if want(name) {
			do(name, func() (closer, error) { return ref.Open() }, func(b closer) ([]Found, error) { return scanI2C(b.(i2c.Bus)), nil })
		} else if len(names) == 0 {
			list = append(list, notAsked(name))
		}
	}
	for _, ref := range spireg.All() {
		name := ref.Name
		for _, alias := range ref.Aliases {
			if n, ok := strings.CutPrefix(alias, "SPI"); ok {
				name = "spi-" + n
			}
		}
		if want(name) {
			do(name, func() (closer, error) { return ref.Open() }, func(b closer) ([]Found, error) { return scanSPI(b.(spi.Port)) })
		} else if len(names) == 0 {
			list = append(list, notAsked(name))
		}
	}
	for _, name := range names {
		if !asked[name] || !slices.Contains(names, name) {
			errs = append(errs, fmt.Errorf("scan %s: this machine has no such bus", name))
		}
	}
	return list, errors.Join(errs...)
}

// ScanBehind asks what answers on an I²C bus behind a port of a multiplexer
// (mux, 0x70/3, or ""), on its bridge to one-wire (bridge, 0x18) or, where that
// is "", on the lines themselves. It opens the port and sets the bridge up, as
// somebody has asked for, and closes the port again.
func ScanBehind(name, mux, bridge string) (list []Found, err error) {
	s := seat{}
	if mux != "" {
		if s.mux, s.port, err = sensor.MuxPort(mux); err != nil {
			return nil, err
		}
	}
	b, err := i2creg.Open(registryName(name))
	if err != nil {
		return nil, fmt.Errorf("scan %s: %w", name, err)
	}
	w := &i2cWire{bus: b}
	defer func() { err = errors.Join(err, w.deselect(), b.Close()) }()
	if err := w.choose(s); err != nil {
		return nil, fmt.Errorf("scan %s: open port %d of multiplexer %#x: %w", name, s.port, s.mux, err)
	}
	if bridge == "" {
		list = scanI2C(b)
	} else {
		g, err := newBridge(bridge)
		if err != nil {
			return nil, err
		}
		if o := g.ready(b); o.fault != "" {
			return nil, fmt.Errorf("scan %s: %w", name, o.cause)
		}
		if list, err = scanOneWire(g.dev); err != nil {
			return nil, fmt.Errorf("scan %s: %w", name, err)
		}
	}
	for i := range list {
		list[i].Bus, list[i].Mux, list[i].Bridge = name, mux, bridge
	}
	return list, nil
}

type closer interface{ Close() error }

func configName(kind, name string, number int) string {
	if number >= 0 {
		return fmt.Sprintf("%s-%d", kind, number)
	}
	return name
}

func notAsked(bus string) Found {
	return Found{Bus: bus, Note: "not asked: `--bus " + bus + "` asks it, where you know what is on it"}
}

func scanOneWire(b onewire.Bus) (list []Found, err error) {
	found, err := b.Search(false)
	if err != nil && !isAbsent(err) {
		return nil, err
	}
	slices.SortFunc(found, func(a, b onewire.Address) int { return strings.Compare(formatROM(a), formatROM(b)) })
	for _, a := range found {
		f := Found{Address: formatROM(a)}
		if byte(a) == ds18b20Family {
			f.Chip, f.Sure = "ds18b20", true
			f.Note = "clones carry the same family: a value that lags or sticks at 85 °C tells them"
		} else {
			f.Note = "a one-wire chip that coldkeep does not read"
		}
		list = append(list, f)
	}
	return list, nil
}

// scanI2C reads at the addresses of known chips alone. From 0x70 on nothing is
// written, not even the number of a register to read: a multiplexer takes any
// byte for its ports.
func scanI2C(b i2c.Bus) (list []Found) {
	for a := uint16(0x18); a <= 0x77; a++ {
		var f Found
		var here bool
		d := i2c.Dev{Bus: b, Addr: a}
		switch {
		case a <= 0x1f:
			f, here = scan18(d)
		case a >= 0x44 && a <= 0x47:
			f, here = scan44(d)
		case a >= 0x48 && a <= 0x4b:
			f, here = scan48(d)
		case a >= 0x70:
			f, here = scan70(d)
		}
		if here {
			f.Address = fmt.Sprintf("%#x", a)
			list = append(list, f)
		}
	}
	return list
}

// answers says whether anything acknowledges a read.
func answers(d i2c.Dev) bool { return d.Tx(nil, make([]byte, 1)) == nil }

// register reads a word; ok is false where nobody answers.
func register(d i2c.Dev, reg ...byte) (v uint16, ok bool) {
	r := make([]byte, 2)
	if d.Tx(reg, r) != nil {
		return 0, false
	}
	return uint16(r[0])<<8 | uint16(r[1]), true
}

func scan18(d i2c.Dev) (Found, bool) {
	maker, _ := register(d, 0x06)
	device, _ := register(d, 0x07)
	if maker == mcp9808Maker && device>>8 == mcp9808Device {
		return Found{Chip: "mcp9808", Sure: true, Note: "it shows 0 °C until its first conversion"}, true
	}
	if !answers(d) {
		return Found{}, false
	}
	if d.Addr <= 0x1b {
		return Found{Note: "no MCP9808: perhaps a DS2482, the bridge to one-wire probes (`bridge: " + fmt.Sprintf("%#x", d.Addr) + "`)"}, true
	}
	return Found{Note: "a chip that coldkeep does not know"}, true
}

func scan44(d i2c.Dev) (Found, bool) {
	if newSHT4x(d.Addr).identify(d.Bus).fault == "" {
		return Found{Chip: "sht4x", Sure: true, Note: "for air: a wet sensor reads cold"}, true
	}
	if (&hdc302xChip{addr: d.Addr, said: told{}}).identify(d.Bus).fault == "" {
		return Found{Chip: "hdc302x", Sure: true, Note: "for air: a wet sensor reads cold"}, true
	}
	return Found{Note: "a chip that coldkeep does not know"}, answers(d)
}

func scan48(d i2c.Dev) (Found, bool) {
	if id, ok := register(d, 0x0f); ok && id&0x0fff == 0x0117 {
		return Found{Chip: "tmp117", Sure: true, Note: "it shows −256 °C until its first conversion"}, true
	}
	low, ok := register(d, 2)
	high, _ := register(d, 3)
	config, _ := register(d, 1)
	switch {
	case !ok:
		return Found{Note: "a chip that coldkeep does not know"}, answers(d)
	case low == 0x8000 && high == 0x7fff: // Texas Instruments SBAS444, p. 29: as after power-on
		return Found{Chip: "ads1115", Note: "it has no identity: its registers look like one's"}, true
	case config&0x6000 == 0x6000 && config&0x000f == 0 && low&0x000f == 0 && high&0x000f == 0: // SBOS397, p. 11
		return Found{Chip: "tmp102", Note: "it has no identity: its registers look like one's"}, true
	}
	return Found{Note: "no TMP117; perhaps a TMP102 or an ADS1115 that somebody has set up"}, true
}

func scan70(d i2c.Dev) (Found, bool) {
	r := make([]byte, 1)
	if d.Tx(nil, r) != nil {
		return Found{}, false
	}
	mux := fmt.Sprintf("`mux: %#x/PORT`; what is behind its ports is not asked, since that would switch them", d.Addr)
	if d.Addr >= 0x76 {
		return Found{Note: "a BMP280 or BME280, or a multiplexer (" + mux + "): which is not asked, since the question could switch it"}, true
	}
	return Found{Note: fmt.Sprintf("perhaps a PCA9548 (%s); its ports read %#02x", mux, r[0])}, true
}

// scanSPI reads the first registers, which both chips have in the same place.
// Neither has an identity: what they hold after power-on must do.
func scanSPI(p spi.Port) ([]Found, error) {
	c, err := p.Connect(physic.MegaHertz, spi.Mode1, 8)
	if err != nil {
		return nil, err
	}
	w, r := make([]byte, 9), make([]byte, 9)
	if err := c.Tx(w, r); err != nil {
		return nil, err
	}
	r = r[1:]
	f := Found{Note: "a chip answers that is neither a MAX31865 nor a MAX31856 as they are after power-on"}
	switch {
	case same(r, 0x00), same(r, 0xff):
		return nil, nil
	case r[3] == 0xff && r[4] == 0xff && r[5] == 0 && r[6] == 0: // thresholds
		f.Chip, f.Note = "max31865", "it has no identity: its registers look like one's; it must be told its element and wires"
	case r[2] == 0xff && r[3] == 0x7f && r[4] == 0xc0: // mask, cold junction's thresholds
		f.Chip, f.Note = "max31856", "it has no identity: its registers look like one's; a shorted thermocouple shows the temperature of its plug"
	}
	return []Found{f}, nil
}

func same(b []byte, v byte) bool {
	return !slices.ContainsFunc(b, func(x byte) bool { return x != v })
}
