package monitor

import (
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"coldkeep/sensor"
)

// A clock gives the record's time. It follows the system's clock, but never
// runs backwards: where that is set back, it goes on by the monotonic clock
// until the other has caught up, because an instant that is judged is closed.
type clock struct {
	wall   func() time.Time
	anchor time.Time // monotonic: when base held
	base   sensor.Instant
	said   time.Time      // wall and monotonic at the last look
	judged sensor.Instant // at the start
	ahead  bool           // the record's time is ahead of the system's

	before     sensor.Instant // at the last call of jump
	beforeMono time.Time
}

// stepLeast is by how much the system's clock must disagree with the
// monotonic one to be told as a step.
const stepLeast = 2 * time.Second

func newClock(wall func() time.Time, judged sensor.Instant) clock {
	c := clock{wall: wall, anchor: time.Now(), said: wall(), judged: judged}
	c.base = max(sensor.At(c.said), judged+1)
	return c
}

// now is the record's present instant.
func (c *clock) now() sensor.Instant {
	mono := time.Now()
	t := c.base.Add(mono.Sub(c.anchor))
	w := sensor.At(c.wall())
	if w >= t {
		c.base, c.anchor, t = w, mono, w
	}
	c.ahead = t.Sub(w) > stepLeast
	return t
}

// step tells by how much the system's clock was set since the last call; 0
// where it was not.
func (c *clock) step(since *time.Time) time.Duration {
	mono, w := time.Now(), c.wall().Round(0)
	if since.IsZero() {
		*since, c.said = mono, w
		return 0
	}
	d := w.Sub(c.said.Round(0)) - mono.Sub(*since)
	*since, c.said = mono, w
	if d.Abs() <= stepLeast {
		return 0
	}
	return d
}

// jump tells by how much the record's own time went on at once since the last
// call, where it did: the system's clock was set forward.
func (c *clock) jump() time.Duration {
	t, mono := c.now(), time.Now()
	var d time.Duration
	if !c.beforeMono.IsZero() {
		d = t.Sub(c.before) - mono.Sub(c.beforeMono)
	}
	c.before, c.beforeMono = t, mono
	if d <= stepLeast {
		return 0
	}
	return d.Truncate(time.Millisecond)
}

// nextSlot is the next multiple of the interval.
func (c *clock) nextSlot(interval time.Duration) sensor.Instant {
	i := sensor.Instant(interval.Milliseconds())
	return (c.now()/i + 1) * i
}

// firstSlot is the slot of the first sweep after a start. Nobody should be
// without a temperature for a whole interval because a daemon was restarted:
// where intervals are short it is the slot that has just begun, unless it is
// judged already.
func (c *clock) firstSlot(interval time.Duration) sensor.Instant {
	i := sensor.Instant(interval.Milliseconds())
	if slot := c.now() / i * i; interval <= time.Minute && slot > c.judged {
		return slot
	}
	return c.nextSlot(interval)
}

// until is how long to wait for t.
func (c *clock) until(t sensor.Instant) time.Duration { return t.Sub(c.now()) }

// slotNow is the slot that a sweep starting now belongs to: the one waited
// for, or a later one where the clock was set forward meanwhile.
func (c *clock) slotNow(slot sensor.Instant, interval time.Duration) sensor.Instant {
	i := sensor.Instant(interval.Milliseconds())
	return max(slot, c.now()/i*i)
}

// kernelSynchronized asks the kernel whether something disciplines the clock.
func kernelSynchronized() bool {
	var t syscall.Timex
	state, err := syscall.Adjtimex(&t)
	const timeError, staUnsync = 5, 0x40 // adjtimex(2): TIME_ERROR, STA_UNSYNC
	return err == nil && state != timeError && t.Status&staUnsync == 0
}

// bootID is the kernel's id of this boot, or "" where it tells none.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// monotonic is the time since boot in ms.
func monotonic() int64 {
	var ts syscall.Timespec
	const clockBoottime = 7
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockBoottime, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return 0
	}
	return ts.Nano() / 1e6
}
