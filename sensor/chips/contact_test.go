package chips_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"coldkeep/sensor"
	"coldkeep/sensor/chips"
	"coldkeep/sensor/chipsim"
)

// heard is what was told of contacts, as "150ms door-1 on": since when, after
// the test's beginning.
type heard struct {
	mu    sync.Mutex
	began sensor.Instant
	lines []string
}

func (h *heard) tell(_ context.Context, s sensor.ContactState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	how := "off"
	switch {
	case s.Fault != "":
		how = string(s.Fault)
	case s.On:
		how = "on"
	}
	h.lines = append(h.lines, fmt.Sprintf("%v %s %s", s.Time.Sub(h.began), s.ID, how))
}

func (h *heard) want(t *testing.T, when string, lines ...string) {
	t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.lines, lines) {
		t.Errorf("%s: %q, want %q", when, h.lines, lines)
	}
	h.lines = nil
}

var door = sensor.Contact{ID: "d", Kind: sensor.Door, Pin: "SIM17"}

// watching watches one contact on a simulated pin that is closed.
func watching(t *testing.T, c sensor.Contact, do func(p *chipsim.Pin, h *heard)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p, err := chipsim.NewPin(c.Pin)
		if err != nil {
			t.Fatal(err)
		}
		p.Contact(true)
		h := &heard{began: sensor.At(time.Now())}
		w := chips.WatchContacts([]sensor.Contact{c}, slog.New(slog.DiscardHandler), h.tell)
		do(p, h)
		if err := w.Close(); err != nil { // the bubble sees whether a goroutine stays
			t.Error(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

// However often a contact bounces, it has changed once, and at the end of it.
func TestABounceIsOneChange(t *testing.T) {
	watching(t, door, func(p *chipsim.Pin, h *heard) {
		time.Sleep(5 * time.Second)
		h.want(t, "at first", "0s d off")
		p.Bounce(false, 20, 3*time.Millisecond) // for 120 ms
		time.Sleep(10 * time.Second)
		h.mu.Lock()
		since, how, _ := strings.Cut(strings.Join(h.lines, "; "), " ")
		if at, err := time.ParseDuration(since); err != nil || how != "d on" || at < 5120*time.Millisecond || at > 5250*time.Millisecond {
			t.Errorf("a door that bounced for 120 ms while it opened: %q", h.lines)
		}
		h.lines = nil
		h.mu.Unlock()
		p.Contact(true)
		time.Sleep(100 * time.Millisecond) // shorter than a state must stand
		p.Contact(false)
		time.Sleep(5 * time.Second)
		h.want(t, "closed for a moment")
	})
}

// A state counts from its beginning once it has stood for as long as the
// config says.
func TestAStateCountsOnceItHasStood(t *testing.T) {
	c := door
	c.Debounce = 3 * time.Second
	watching(t, c, func(p *chipsim.Pin, h *heard) {
		time.Sleep(10 * time.Second)
		h.want(t, "at first", "0s d off")
		p.Contact(false)
		time.Sleep(2900 * time.Millisecond)
		h.want(t, "open for 2.9 s")
		time.Sleep(200 * time.Millisecond)
		h.mu.Lock()
		n := len(h.lines)
		h.mu.Unlock()
		if n != 1 {
			t.Errorf("open for 3.1 s, and told %d times", n)
		}
	})
}

// A wire that is cut reads as what somebody must know of, but where the
// contact is wired the other way round.
func TestACutWireIsAlarm(t *testing.T) {
	for _, kind := range []sensor.ContactKind{sensor.Door, sensor.Mains, sensor.Relay} {
		c := door
		c.Kind = kind
		watching(t, c, func(p *chipsim.Pin, h *heard) {
			time.Sleep(5 * time.Second)
			h.want(t, string(kind)+" at first", "0s d off")
			p.Contact(false) // cut: the pull-up holds it high
			time.Sleep(5 * time.Second)
			h.want(t, string(kind)+" cut", "5s d on")
		})
		c.Open = true
		watching(t, c, func(p *chipsim.Pin, h *heard) {
			time.Sleep(5 * time.Second)
			h.want(t, string(kind)+" the other way round, closed", "0s d on")
			p.Contact(false)
			time.Sleep(5 * time.Second)
			h.want(t, string(kind)+" the other way round, open or cut", "5s d off")
		})
	}
}

// Where edges are lost, or waiting for them returns at once, the change is
// found by looking, and the processor is left alone.
func TestLostEdgesAreFoundByLooking(t *testing.T) {
	for _, trouble := range []chipsim.Trouble{chipsim.Deaf, chipsim.Hasty} {
		watching(t, door, func(p *chipsim.Pin, h *heard) {
			if err := p.Set(trouble); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			h.want(t, string(trouble)+" at first", "0s d off")
			p.Contact(false)
			before := p.Waits()
			time.Sleep(3 * time.Second)
			h.mu.Lock()
			if len(h.lines) != 1 {
				t.Errorf("%s: a door that opened without an edge: %q", trouble, h.lines)
			}
			h.mu.Unlock()
			if n := p.Waits() - before; n > 70 {
				t.Errorf("%s: an edge was waited for %d times in 3 s", trouble, n)
			}
		})
	}
}

// A pin that breaks reads as if all were well. It is told as a fault, once, and
// as it stands when it works again.
func TestABrokenPinIsAFaultAndRecovers(t *testing.T) {
	watching(t, door, func(p *chipsim.Pin, h *heard) {
		time.Sleep(5 * time.Second)
		h.want(t, "at first", "0s d off")
		if err := p.Set(chipsim.Refused); err != nil {
			t.Fatal(err)
		}
		p.Contact(false)
		time.Sleep(10 * time.Minute)
		h.mu.Lock()
		if len(h.lines) != 1 || !strings.HasSuffix(h.lines[0], " bus") {
			t.Errorf("it broke: %q, want one fault", h.lines)
		}
		h.lines = nil
		h.mu.Unlock()
		if err := p.Set(chipsim.None); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Second) // the longest pause
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.lines) != 1 || !strings.HasSuffix(h.lines[0], " on") {
			t.Errorf("it works again, and the door stands open: %q", h.lines)
		}
	})
}

// A pin that is not there at the start is tried again with growing pauses.
func TestAnAbsentPinIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &heard{began: sensor.At(time.Now())}
		w := chips.WatchContacts([]sensor.Contact{door}, slog.New(slog.DiscardHandler), h.tell)
		time.Sleep(6500 * time.Millisecond)
		h.want(t, "absent", "0s d absent")
		p, err := chipsim.NewPin(door.Pin)
		if err != nil {
			t.Fatal(err)
		}
		p.Contact(true)
		time.Sleep(5 * time.Second)
		h.want(t, "there after the third pause", "7s d off")
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A contact that never comes to rest tells nothing: whatever it showed last is
// not believed.
func TestAContactThatNeverRestsIsAFault(t *testing.T) {
	watching(t, door, func(p *chipsim.Pin, h *heard) {
		time.Sleep(5 * time.Second)
		h.want(t, "at first", "0s d off")
		p.Bounce(false, 150, 50*time.Millisecond) // for 15 s
		h.mu.Lock()
		if len(h.lines) != 1 || !strings.HasSuffix(h.lines[0], " busy") {
			t.Errorf("it bounced for 15 s: %q", h.lines)
		}
		h.lines = nil
		h.mu.Unlock()
		time.Sleep(10 * time.Second)
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.lines) != 1 || !strings.HasSuffix(h.lines[0], " on") {
			t.Errorf("it rests: %q", h.lines)
		}
	})
}

// While a state is told slowly the pins are watched, and Close waits for
// neither.
func TestAListenerThatIsSlowLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := chipsim.NewPin(door.Pin)
		if err != nil {
			t.Fatal(err)
		}
		p.Contact(true)
		n := 0
		w := chips.WatchContacts([]sensor.Contact{door}, slog.New(slog.DiscardHandler), func(ctx context.Context, _ sensor.ContactState) {
			n++
			if n < 8 {
				time.Sleep(20 * time.Second)
			} else {
				<-ctx.Done()
			}
		})
		for i := range 7 {
			time.Sleep(time.Second)
			p.Contact(i%2 == 1)
		}
		time.Sleep(3 * time.Minute)
		began := time.Now()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if d := time.Since(began); n != 8 || d > time.Second {
			t.Errorf("%d of 8 states were told; closing took %v", n, d)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}
