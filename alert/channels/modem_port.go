package channels

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// A modemPort is an opened serial port with a modem at it. Only one goroutine
// at a time has it. A port on which something went wrong is dead: what comes
// late must not be taken for the answer to the next command.
type modemPort struct {
	f         io.ReadWriteCloser
	lines     chan string   // what the modem says; closed when the port is gone
	stop      chan struct{} // closed with the port
	dead      bool
	announced bool // the modem said that there are new messages
}

func newPort(f io.ReadWriteCloser) *modemPort {
	p := &modemPort{f: f, lines: make(chan string, 64), stop: make(chan struct{})}
	go p.read()
	return p
}

// read is the port's one reader. It ends with the port: lines is closed then.
func (p *modemPort) read() {
	defer close(p.lines)
	var r lineReader
	buf := make([]byte, 1024)
	for {
		n, err := p.f.Read(buf)
		for _, line := range r.feed(buf[:n]) {
			select {
			case p.lines <- line:
			case <-p.stop:
				return
			}
		}
		if err != nil {
			return // whoever waits for a line hears that the port is gone
		}
	}
}

// close closes the port and waits for its reader.
func (p *modemPort) close() {
	p.dead = true
	close(p.stop)
	p.f.Close() // of a device that is gone nothing better can be had
	for range p.lines {
	}
}

// write gives the modem something. A port takes it at once or is dead.
func (p *modemPort) write(s string) error {
	if d, ok := p.f.(interface{ SetWriteDeadline(time.Time) error }); ok {
		if err := d.SetWriteDeadline(time.Now().Add(5 * time.Second)); err != nil {
			p.dead = true
			return fmt.Errorf("write to modem: %w", err)
		}
	}
	if _, err := io.WriteString(p.f, s); err != nil {
		p.dead = true
		return fmt.Errorf("write to modem: %w", err)
	}
	return nil
}

var (
	errPortGone = errors.New("the modem is gone")
	errMute     = errors.New("the modem does not answer")
)

// await gives f the lines that come until it says that it has what it needs.
// If that does not come within wait, the port is dead.
func (p *modemPort) await(ctx context.Context, wait time.Duration, f func(line string) bool) error {
	late := time.NewTimer(wait)
	defer late.Stop()
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.dead = true
				return errPortGone
			}
			if !p.unsolicited(line) && f(line) {
				return nil
			}
		case <-late.C:
			p.dead = true
			return errMute
		case <-ctx.Done():
			p.dead = true
			return ctx.Err()
		}
	}
}

// unsolicited takes note of what the modem says by itself.
func (p *modemPort) unsolicited(line string) bool {
	if strings.HasPrefix(line, "+CMTI:") {
		p.announced = true
		return true
	}
	return false
}

// lineMost bounds a line. The longest a modem says is a message of 176 octets
// in hexadecimal.
const lineMost = 1024

// A lineReader makes lines of the bytes of a modem: without CR and LF, none
// empty. The prompt, which is no line, is the line ">". What is longer than
// lineMost is noise, and dropped to its end.
type lineReader struct {
	buf  []byte
	over bool
}

func (r *lineReader) feed(bytes []byte) (lines []string) {
	for _, b := range bytes {
		switch {
		case b == '\r' || b == '\n':
			if line := strings.TrimSpace(string(r.buf)); line != "" && !r.over {
				lines = append(lines, line)
			}
			r.buf, r.over = r.buf[:0], false
		case r.over || b == 0:
		case b == '>' && strings.TrimSpace(string(r.buf)) == "":
			r.buf = r.buf[:0]
			lines = append(lines, ">")
		case len(r.buf) == lineMost:
			r.over = true
		default:
			r.buf = append(r.buf, b)
		}
	}
	return lines
}
