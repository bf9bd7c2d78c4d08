//go:build !linux

package channels

import "errors"

var bauds = map[int]uint32{115200: 0}

func openPort(string, uint32) (*modemPort, error) {
	return nil, errors.New("open modem: serial ports are opened on Linux only")
}
