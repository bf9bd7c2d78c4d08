package channels

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// bauds are the speeds that a modem may be set to. A modem on USB takes any.
var bauds = map[int]uint32{9600: unix.B9600, 19200: unix.B19200, 38400: unix.B38400, 57600: unix.B57600, 115200: unix.B115200, 230400: unix.B230400, 460800: unix.B460800, 921600: unix.B921600}

// openPort opens a serial device: raw, 8N1, no flow control. It does not wait
// for a carrier, and never becomes our terminal.
func openPort(device string, speed uint32) (*modemPort, error) {
	f, err := os.OpenFile(device, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open modem: %w", err)
	}
	raw, err := f.SyscallConn()
	if err == nil {
		// Not f.Fd: it would make reading block for ever.
		if cerr := raw.Control(func(fd uintptr) { err = setRaw(int(fd), speed) }); cerr != nil {
			err = cerr
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("set up %s as a serial port: %w", device, err)
	}
	return newPort(f), nil
}

func setRaw(fd int, speed uint32) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag = unix.IGNBRK
	t.Oflag = 0
	t.Lflag = 0
	t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | speed
	t.Ispeed, t.Ospeed = speed, speed
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
		return err
	}
	return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH) // what was said to nobody
}
