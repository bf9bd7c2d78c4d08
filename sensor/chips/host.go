package chips

import (
	"errors"
	"fmt"

	"periph.io/x/conn/v3/driver/driverreg"
	// Only what talks to the kernel. The set of periph's host package would
	// also map /dev/mem, and does so wrongly on boards it does not know.
	_ "periph.io/x/host/v3/gpioioctl" // sysfs asks for it
	_ "periph.io/x/host/v3/netlink"
	_ "periph.io/x/host/v3/sysfs"
)

// InitHost finds the machine's buses. Buses that appear later are not found.
// It does not fail where there are none: opening them will.
func InitHost() error {
	state, err := driverreg.Init()
	if err != nil {
		return fmt.Errorf("find buses: %w", err)
	}
	var errs []error
	for _, f := range state.Failed {
		errs = append(errs, fmt.Errorf("find buses: driver %s: %w", f.D, f.Err))
	}
	return errors.Join(errs...)
}
