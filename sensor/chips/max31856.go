package chips

import "coldkeep/sensor"

func newMAX31856(p sensor.Probe) spiChip { return nil }
