package chips

import "coldkeep/sensor"

func newADS1115(p sensor.Probe, addr uint16) i2cChip { return nil }
