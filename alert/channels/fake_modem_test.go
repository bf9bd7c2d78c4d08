package channels

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A fakeModem is a modem at the far end of a pseudo-terminal: it echoes until
// it is told not to, frames its answers in CR LF, counts PINs, checks the
// length of what it sends, keeps messages on a SIM of 20 places, and says
// things in between that nobody asked for. Its device is a link, as under
// /dev/serial/by-id: it can be unplugged and come back.
type fakeModem struct {
	link string

	mu       sync.Mutex
	master   *os.File
	slave    *os.File // held open: a pseudo-terminal hangs up without
	done     chan struct{}
	echo     bool
	cmee     bool
	said     []string // the commands
	pin      string   // "" none is asked for
	unlocked bool
	tries    int
	counts   bool // it knows AT+CPINR
	pins     []string
	dead     bool   // it says nothing
	creg     string // the state in +CREG and its like
	noCNMI   bool
	noSM     bool // it keeps messages in its own memory only
	chatty   bool
	slow     time.Duration // before the prompt
	noPrompt bool
	refuse   []string // these answers to coming parts
	faults   []farFault
	fault    farFault // of the text that is being taken
	sim      map[int]string
	sent     []fakeSubmit
	tick     time.Time // of the last message that came
	mr       int
}

// A fakeSubmit is one part as the network has it.
type fakeSubmit struct {
	to, text        string
	ref, total, seq int
	validity        byte
}

func newFakeModem(t *testing.T) *fakeModem {
	t.Helper()
	f := &fakeModem{link: filepath.Join(t.TempDir(), "ttyUSB0"), creg: "0,1", tries: 3, counts: true, chatty: true, sim: map[int]string{}, tick: time.Now().Add(-time.Hour)}
	f.plug(t)
	t.Cleanup(f.unplug)
	return f
}

// plug brings the modem (back) under its device.
func (f *fakeModem) plug(t testing.TB) {
	t.Helper()
	if err := f.replug(); err != nil {
		t.Fatalf("open a pseudo-terminal: %v", err)
	}
}

// replug opens a new terminal before the old one hangs up, so that the device
// is never missing.
func (f *fakeModem) replug() error {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	raw, err := master.SyscallConn()
	if err != nil {
		return err
	}
	var n int
	if cerr := raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}); cerr != nil || err != nil {
		return fmt.Errorf("%w, %w", cerr, err)
	}
	name := "/dev/pts/" + strconv.Itoa(n)
	slave, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	// What a modem starts with: nothing that it writes is echoed back to it.
	sraw, err := slave.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := sraw.Control(func(fd uintptr) { err = setRaw(int(fd), unix.B115200) }); cerr != nil || err != nil {
		return fmt.Errorf("%w, %w", cerr, err)
	}
	fresh := f.link + ".new"
	if err := os.Symlink(name, fresh); err != nil {
		return err
	}
	if err := os.Rename(fresh, f.link); err != nil {
		return err
	}
	f.mu.Lock()
	oldMaster, oldSlave := f.master, f.slave
	f.master, f.slave, f.done, f.echo, f.cmee, f.unlocked = master, slave, make(chan struct{}), true, false, false
	go f.run(master, f.done)
	f.mu.Unlock()
	if oldMaster != nil {
		oldSlave.Close()
		oldMaster.Close()
	}
	return nil
}

// unplug takes the modem away, device and all.
func (f *fakeModem) unplug() {
	f.mu.Lock()
	master, slave, done := f.master, f.slave, f.done
	f.master, f.slave = nil, nil
	f.mu.Unlock()
	if master == nil {
		return
	}
	os.Remove(f.link)
	slave.Close()
	master.Close()
	<-done
}

func (f *fakeModem) with(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// run reads what the host writes.
func (f *fakeModem) run(master *os.File, done chan struct{}) {
	defer close(done)
	say := func(s string) { master.WriteString(s) } // a host that is gone hears nothing
	var line []byte
	prompt := -1 // the length that AT+CMGS promised
	buf := make([]byte, 256)
	for {
		n, err := master.Read(buf)
		if err != nil {
			return
		}
		for _, b := range buf[:n] {
			f.mu.Lock()
			dead, echo := f.dead, f.echo
			f.mu.Unlock()
			if dead {
				line = line[:0]
				continue
			}
			if echo {
				say(string(b))
			}
			switch {
			case prompt >= 0 && b == 0x1b:
				prompt, line = -1, line[:0]
				say("\r\nOK\r\n")
			case prompt >= 0 && b == 0x1a:
				pdu := string(line)
				length := prompt
				prompt, line = -1, line[:0]
				answer, drop := f.submit(pdu, length)
				if drop {
					if err := f.replug(); err != nil {
						panic(err)
					}
					return
				}
				say(answer)
			case prompt < 0 && b == '\r':
				command := string(line)
				line = line[:0]
				answer := f.command(command)
				if length, ok := strings.CutPrefix(answer, "prompt "); ok {
					prompt, _ = strconv.Atoi(length)
					answer = ""
					var none bool
					var slow time.Duration
					f.with(func() { none, slow = f.noPrompt, f.slow })
					if !none {
						time.Sleep(slow)
						answer = "\r\n> "
					}
				}
				say(answer)
			case b != '\n':
				line = append(line, b)
			}
		}
	}
}

// command answers a command line.
func (f *fakeModem) command(line string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	const ok = "\r\nOK\r\n"
	if line == "" {
		return ""
	}
	f.said = append(f.said, line)
	fail := func(class string, code int) string {
		if !f.cmee && class == "CME" {
			return "\r\nERROR\r\n"
		}
		return fmt.Sprintf("\r\n+%s ERROR: %d\r\n", class, code)
	}
	noise := ""
	if f.chatty {
		noise = "\r\n^RSSI:18\r\n\r\nRING\r\n\xff\xfe\x00noise\r\n"
	}
	locked := f.pin != "" && !f.unlocked
	switch {
	case line == "AT":
		return noise + ok
	case line == "ATE0":
		f.echo = false
		return ok
	case line == "AT+CMEE=1":
		f.cmee = true
		return ok
	case line == "AT+CPIN?":
		switch {
		case f.tries == 0:
			return "\r\n+CPIN: SIM PUK\r\n" + ok
		case locked:
			return "\r\n+CPIN: SIM PIN\r\n" + ok
		}
		return noise + "\r\n+CPIN: READY\r\n" + ok
	case line == `AT+CPINR="SIM PIN"`:
		if !f.counts {
			return "\r\nERROR\r\n"
		}
		return fmt.Sprintf("\r\n+CPINR: SIM PIN,%d,3\r\n%s", f.tries, ok)
	case strings.HasPrefix(line, `AT+CPIN="`):
		pin := strings.Trim(strings.TrimPrefix(line, "AT+CPIN="), `"`)
		f.pins = append(f.pins, pin)
		if f.tries == 0 {
			return fail("CME", 12)
		}
		if pin != f.pin {
			f.tries--
			return fail("CME", 16)
		}
		f.tries, f.unlocked = 3, true
		return ok + "\r\n+CPIN: READY\r\n"
	case locked:
		return fail("CMS", 311)
	case line == "AT+CMGF=0":
		return ok
	case strings.HasPrefix(line, "AT+CPMS="):
		if f.noSM && strings.Contains(line, "SM") {
			return fail("CMS", 302)
		}
		return "\r\n+CPMS: 0,20,0,20,0,20\r\n" + ok
	case strings.HasPrefix(line, "AT+CNMI="):
		if f.noCNMI {
			return fail("CMS", 303)
		}
		return ok
	case line == "AT+CREG?", line == "AT+CEREG?":
		return noise + "\r\n" + strings.TrimSuffix(line, "?")[2:] + ": " + f.creg + "\r\n" + ok
	case line == "AT+CSQ":
		return "\r\n+CSQ: 12,99\r\n" + ok
	case line == "AT+CMGL=4":
		var b strings.Builder
		for i := range 20 {
			pdu, is := f.sim[i]
			if !is {
				continue
			}
			service, _ := strconv.ParseInt(pdu[:2], 16, 0)
			fmt.Fprintf(&b, "\r\n+CMGL: %d,0,,%d\r\n%s\r\n", i, len(pdu)/2-1-int(service), pdu)
		}
		b.WriteString("\r\n+CMGL: 19,3,,12\r\n0011000B916407281553F80000AA0AE8329BFD4697D9EC37\r\n") // one to be sent
		return b.String() + ok
	case strings.HasPrefix(line, "AT+CMGD="):
		i, err := strconv.Atoi(line[len("AT+CMGD="):])
		if _, is := f.sim[i]; err != nil || !is {
			return fail("CMS", 321)
		}
		delete(f.sim, i)
		return ok
	case strings.HasPrefix(line, "AT+CMGS="):
		return "prompt " + line[len("AT+CMGS="):]
	}
	return "\r\nERROR\r\n"
}

// submit takes a part, and says whether the port drops.
func (f *fakeModem) submit(pdu string, length int) (answer string, drop bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.refuse) > 0 {
		answer, f.refuse = f.refuse[0], f.refuse[1:]
		return "\r\n" + answer + "\r\n", false
	}
	s, err := readSubmit(pdu, length)
	if err != nil {
		return "\r\n+CMS ERROR: 304\r\n", false
	}
	if s.seq <= 1 {
		f.fault = ""
		if len(f.faults) > 0 {
			f.fault, f.faults = f.faults[0], f.faults[1:]
		}
	}
	// What does not take the message refuses its first part; what takes it
	// does what it does after the last one.
	switch f.fault {
	case farBusy:
		return "\r\n+CMS ERROR: 42\r\n", false
	case farBroken:
		return "\r\n+CMS ERROR: 38\r\n", false
	case farRefuses:
		return "\r\n+CMS ERROR: 8\r\n", false
	}
	f.sent = append(f.sent, s)
	if s.seq == s.total {
		switch f.fault {
		case farHangs:
			return "", false
		case farDrops:
			return "", true
		case farGarbled:
			return "\r\n\xfe\xff\xfeCM\x80S: \xff\r\nOK\r\n", false
		}
	}
	f.mr++
	noise := ""
	if f.chatty {
		noise = "\r\n^RSSI:17\r\n\r\n^BOOT:1234,0,0,0,6\r\n"
	}
	return fmt.Sprintf("%s\r\n+CMGS: %d\r\n\r\nOK\r\n", noise, f.mr), false
}

// receive puts a message onto the SIM and announces it.
func (f *fakeModem) receive(pdu string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := 0
	for f.sim[i] != "" {
		i++
	}
	if i >= 19 {
		return -1 // the network keeps it
	}
	f.sim[i] = pdu
	if f.master != nil {
		fmt.Fprintf(f.master, "\r\n+CMTI: \"SM\",%d\r\n", i)
	}
	return i
}

// text lets a phone send a text. The service centre gives no two the same
// second.
func (f *fakeModem) text(from, text string) (pdu string) {
	f.mu.Lock()
	now := time.Now().Truncate(time.Second)
	if !now.After(f.tick) {
		now = f.tick.Add(time.Second)
	}
	f.tick = now
	f.mu.Unlock()
	pdu = deliver(from, text, now, nil)
	f.receive(pdu)
	return pdu
}

// texts gives what phones show: texts whose parts are all there, in the order
// in which they were begun.
func (f *fakeModem) texts() (list []fakeSubmit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var open []fakeSubmit
	for _, s := range f.sent {
		if s.seq == 1 {
			open = append(open, s)
		} else if i := slices.IndexFunc(open, func(o fakeSubmit) bool {
			return o.to == s.to && o.ref == s.ref && o.total == s.total && o.seq == s.seq-1
		}); i >= 0 {
			open[i].text += s.text
			open[i].seq = s.seq
		}
	}
	return slices.DeleteFunc(open, func(s fakeSubmit) bool { return s.seq != s.total })
}

// say says something that nobody asked for.
func (f *fakeModem) say(s string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.master.WriteString(s)
}

func (f *fakeModem) commands() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.said)
}

// given are the PINs that it was given.
func (f *fakeModem) given() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.pins)
}

func (f *fakeModem) stored() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.sim)
}
