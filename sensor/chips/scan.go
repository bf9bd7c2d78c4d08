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
)

// Found is something that answers on a bus.
type Found struct {
	Bus     string `json:"bus"`  // as the config writes it
	Chip    string `json:"chip"` // "" where it is none that coldkeep reads
	Address string `json:"address"`
	Note    string `json:"note,omitempty"`
}

// Scan asks every bus that periph knows what answers there: one-wire buses by
// the search that every chip takes part in, I²C ones only by reading identity
// registers at the addresses of known chips, because a read elsewhere may
// switch something. It answers what it found and, apart, what went wrong.
// Buses that hang hang it.
func Scan() ([]Found, error) {
	var list []Found
	var errs []error
	for _, ref := range onewirereg.All() {
		name := ref.Name
		if ref.Number >= 0 {
			name = fmt.Sprintf("onewire-%d", ref.Number)
		}
		b, err := ref.Open()
		if err != nil {
			errs = append(errs, fmt.Errorf("scan %s: %w", name, err))
			continue
		}
		found, err := b.Search(false)
		if err != nil && !isAbsent(err) {
			errs = append(errs, fmt.Errorf("scan %s: %w", name, err))
		}
		slices.SortFunc(found, func(a, b onewire.Address) int { return strings.Compare(formatROM(a), formatROM(b)) })
		for _, a := range found {
			f := Found{Bus: name, Address: formatROM(a)}
			if byte(a) == ds18b20Family {
				f.Chip = "ds18b20"
			} else {
				f.Note = "a one-wire chip that coldkeep does not read"
			}
			list = append(list, f)
		}
		if err := b.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", name, err))
		}
	}
	for _, ref := range i2creg.All() {
		name := ref.Name
		if ref.Number >= 0 {
			name = fmt.Sprintf("i2c-%d", ref.Number)
		}
		b, err := ref.Open()
		if err != nil {
			errs = append(errs, fmt.Errorf("scan %s: %w", name, err))
			continue
		}
		list = append(list, scanI2C(b, name)...)
		if err := b.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", name, err))
		}
	}
	return list, errors.Join(errs...)
}

func scanI2C(b i2c.Bus, name string) (list []Found) {
	for a := uint16(0x18); a <= 0x1f; a++ {
		c := mcp9808Chip{addr: a}
		f := Found{Bus: name, Address: fmt.Sprintf("%#x", a)}
		switch o := c.identify(b); o.fault {
		case "":
			f.Chip = "mcp9808"
		case "identity":
			f.Note = "another chip answers here"
		default:
			continue
		}
		list = append(list, f)
	}
	return list
}
