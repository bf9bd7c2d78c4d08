package chips

import "coldkeep/sensor"

type bridge struct{}

func newBridge(addr string) (*bridge, error) { return &bridge{}, nil }

func newBridged(b *bridge, p sensor.Probe) (i2cChip, error) { return nil, nil }
