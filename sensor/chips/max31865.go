package chips

import "coldkeep/sensor"

func newMAX31865(p sensor.Probe) spiChip { return nil }
