package channels

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"coldkeep/alert"
)

// A sirenPin is a pin that can fail, and remembers what it was.
type sirenPin struct {
	gpiotest.Pin
	mu     sync.Mutex
	broken error
	highs  int
	halted bool
}

func (p *sirenPin) Out(l gpio.Level) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return p.broken
	}
	if l == gpio.High {
		p.highs++
	}
	return p.Pin.Out(l)
}

func (p *sirenPin) Halt() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.halted = true
	return nil
}

func (p *sirenPin) breaks(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = err
}

// sounded counts how often it became high.
func (p *sirenPin) sounded() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.highs
}

type sirenKit struct {
	*siren
	buzzer, light, button *sirenPin
	post                  *modemPost
	stop                  func()
}

// wire makes a siren with pins under names that only this test has.
func wire(t *testing.T) *sirenKit {
	t.Helper()
	k := &sirenKit{post: &modemPost{}}
	for kind, p := range map[string]**sirenPin{"buzzer": &k.buzzer, "light": &k.light, "button": &k.button} {
		*p = &sirenPin{Pin: gpiotest.Pin{N: t.Name() + "." + kind}}
		if err := gpioreg.Register(*p); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := gpioreg.Unregister(t.Name() + "." + kind); err != nil {
				t.Error(err)
			}
		})
	}
	return k
}

// start opens it and lets it listen, in a bubble of its own time.
func (k *sirenKit) start(t *testing.T) {
	n, err := Open(alert.Settings{Kind: "siren", Buzzer: k.buzzer.N, Light: k.light.N, Button: k.button.N}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	k.siren = n.(*siren)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.Listen(ctx, k.post)
	}()
	k.stop = func() {
		cancel()
		<-done
	}
	time.Sleep(time.Second) // the button is seen not pressed
}

func (k *sirenKit) press(level gpio.Level) {
	k.button.Lock()
	k.button.L = level
	k.button.Unlock()
}

// hold presses the button for a while, bouncing.
func (k *sirenKit) hold(d time.Duration) {
	for range 3 {
		k.press(gpio.Low)
		time.Sleep(7 * time.Millisecond)
		k.press(gpio.High)
		time.Sleep(5 * time.Millisecond)
	}
	k.press(gpio.Low)
	time.Sleep(d)
	k.press(gpio.High)
	time.Sleep(100 * time.Millisecond)
}

// rings says whether it sounds and shines, over some seconds.
func (k *sirenKit) rings() (sounds, shines bool) {
	before := k.buzzer.sounded()
	time.Sleep(5 * time.Second)
	return k.buzzer.sounded() > before, bool(k.light.Read())
}

func (k *sirenKit) expect(t *testing.T, when string, sounds, shines bool) {
	t.Helper()
	if a, b := k.rings(); a != sounds || b != shines {
		t.Errorf("%s: it sounds %v and shines %v, not %v and %v", when, a, b, sounds, shines)
	}
}

func (k *sirenKit) send(t *testing.T, id, key string, p alert.Purpose) string {
	t.Helper()
	m := sample("")
	m.ID, m.Key, m.Purpose = id, key, p
	for i, code := range []string{"g30.", "no.", "st."} {
		m.Buttons[i].Data = code + id
	}
	receipt, err := k.Notify(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

func TestASirenRingsUntilItIsOver(t *testing.T) {
	k := wire(t)
	synctest.Test(t, func(t *testing.T) {
		k.start(t)
		k.expect(t, "at first", false, false)
		for _, over := range []alert.Purpose{alert.Taken, alert.AllClear} {
			k.send(t, "n1", "fridge-1", alert.Page)
			k.expect(t, "at a page", true, true)
			k.send(t, "n2", "fridge-2", over)
			k.send(t, "n3", "fridge-1", alert.Progress)
			k.expect(t, "at other messages", true, true)
			k.send(t, "n4", "fridge-1", over)
			k.expect(t, "at "+string(over), false, false)
		}
		receipt := k.send(t, "n5", "fridge-1", alert.Page)
		other := k.send(t, "n6", "fridge-2", alert.Page)
		if err := k.Cancel(t.Context(), receipt); err != nil {
			t.Fatal(err)
		}
		k.expect(t, "with one of two cancelled", true, true)
		if err := k.Cancel(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		k.expect(t, "with both cancelled", false, false)

		k.send(t, "n7", "fridge-1", alert.Notice)
		k.expect(t, "at a notice", false, true)
		k.send(t, "n8", "fridge-1", alert.Page)
		time.Sleep(sirenMost - 10*time.Second)
		k.expect(t, "before its time is over", true, true)
		time.Sleep(10 * time.Second)
		k.expect(t, "after its time", false, false)

		before := k.buzzer.sounded()
		k.send(t, "n9", "drill", alert.Test)
		time.Sleep(10 * time.Second)
		if n := k.buzzer.sounded() - before; n != 2 || bool(k.light.Read()) {
			t.Errorf("a test sounds %d times, and its light is then %v", n, k.light.Read())
		}
		k.send(t, "n10", "fridge-1", alert.Page)
		k.stop()
		if bool(k.buzzer.Read() || k.light.Read()) || !k.buzzer.halted || !k.button.halted {
			t.Error("at the end it is not quiet, dark and let go")
		}
	})
}

func TestItsPatternIsTwoSoundsAndAPause(t *testing.T) {
	k := wire(t)
	synctest.Test(t, func(t *testing.T) {
		k.start(t)
		defer k.stop()
		began := time.Now()
		k.send(t, "n1", "fridge-1", alert.Page)
		// In the middle of each part, into the second cycle.
		for _, at := range []struct {
			ms   time.Duration
			want gpio.Level
		}{{125, true}, {375, false}, {625, true}, {875, false}, {1900, false}, {2125, true}, {2375, false}, {2625, true}, {3000, false}} {
			time.Sleep(time.Until(began.Add(at.ms * time.Millisecond)))
			if got := k.buzzer.Read(); got != at.want {
				t.Errorf("%d ms after its beginning it is %v", at.ms, got)
			}
		}
	})
}

func TestTheButtonSilencesAndAnswers(t *testing.T) {
	k := wire(t)
	synctest.Test(t, func(t *testing.T) {
		k.start(t)
		defer k.stop()
		k.hold(200 * time.Millisecond)
		time.Sleep(time.Second)
		if len(k.post.heard()) != 0 {
			t.Errorf("with nothing open it answers %+v", k.post.heard())
		}
		// Not yet among the open ones, as right after its sending.
		k.send(t, "n1", "fridge-1", alert.Page)
		time.Sleep(5 * time.Second)
		k.post.refuses(3)
		k.hold(200 * time.Millisecond)
		k.expect(t, "pressed, and the answer not taken", false, true)
		time.Sleep(10 * time.Second)
		// An older one that is open does not count.
		k.post.opens(alert.Sent{ID: "n0", Buttons: []alert.Button{{Text: "Going", Data: "g30.n0"}}, At: time.Now().Add(-time.Hour)})
		k.send(t, "n2", "fridge-2", alert.Page)
		k.expect(t, "at the next page", true, true)
		k.hold(2 * time.Second)
		k.send(t, "n3", "fridge-1", alert.AllClear)
		k.send(t, "n3", "fridge-2", alert.AllClear)
		// Nothing rings, and one is open: a test, whose sound was short.
		k.post.opens(alert.Sent{ID: "n4", Buttons: []alert.Button{{Text: "Going", Data: "g30.n4"}, {Text: "Status", Data: "st.n4"}}, At: time.Now()})
		k.hold(200 * time.Millisecond)
		time.Sleep(time.Second)
		ids := map[string]bool{}
		var data []string
		for _, a := range k.post.heard() {
			if a.From != "button" || a.Channel != "siren" || a.ID == "" || a.At.IsZero() {
				t.Errorf("it answers %+v", a)
			}
			ids[a.ID] = true
			data = append(data, a.Data)
		}
		if got := strings.Join(data, " "); got != "g30.n1 g30.n2 g30.n4" || len(ids) != 3 {
			t.Errorf("it answers %s with %d IDs", got, len(ids))
		}
	})
}

// What is no press: bounces, a button that is held when all begins, a pin that
// stays low.
func TestWhatIsNoPress(t *testing.T) {
	k := wire(t)
	synctest.Test(t, func(t *testing.T) {
		defer func() { k.stop() }()
		k.post.opens(alert.Sent{ID: "n1", Buttons: []alert.Button{{Text: "Going", Data: "g30.n1"}}, At: time.Now()})
		go func() {
			time.Sleep(10 * time.Millisecond) // after the pull-up is set
			k.press(gpio.Low)
		}()
		k.start(t)
		time.Sleep(2 * time.Minute)
		if len(k.post.heard()) != 0 {
			t.Error("a button that is held from the beginning counts")
		}
		k.press(gpio.High)
		time.Sleep(time.Second)
		for range 50 {
			k.press(gpio.Low)
			time.Sleep(30 * time.Millisecond)
			k.press(gpio.High)
			time.Sleep(30 * time.Millisecond)
		}
		time.Sleep(time.Second)
		if len(k.post.heard()) != 0 {
			t.Error("noise counts")
		}
		k.hold(10 * time.Minute)
		if n := len(k.post.heard()); n != 1 {
			t.Errorf("a press of 10 min counts as %d", n)
		}
	})
}

func TestAPinThatFailsIsTold(t *testing.T) {
	k := wire(t)
	synctest.Test(t, func(t *testing.T) {
		k.start(t)
		defer k.stop()
		short := errors.New("the pin is in use")
		k.buzzer.breaks(short)
		m := sample("")
		if _, err := k.Notify(t.Context(), m); !errors.Is(err, short) || !strings.Contains(err.Error(), k.buzzer.N) {
			t.Errorf("a buzzer that fails: %v", err)
		}
		time.Sleep(time.Second)
		if !k.light.Read() {
			t.Error("the light does not shine because the buzzer fails")
		}
		k.buzzer.breaks(nil)
		k.expect(t, "with the buzzer back", true, true)
	})
}

func TestASirenWithoutPinsOrListenerIsTold(t *testing.T) {
	for _, s := range []alert.Settings{{Kind: "siren"}, {Kind: "siren", Button: "GPIO4"}, {Kind: "siren", Buzzer: "GPIO4", Button: "GPIO4"}} {
		if _, err := Open(s, quiet); err == nil {
			t.Errorf("%+v is opened", s)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		n, err := Open(alert.Settings{Kind: "siren", Light: "no such pin"}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Notify(t.Context(), sample("")); !isTemporary(err) {
			t.Errorf("with nobody at the pins: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			n.(alert.Listener).Listen(ctx, &modemPost{})
		}()
		if _, err := n.Notify(t.Context(), sample("")); err == nil || isTemporary(err) || !strings.Contains(err.Error(), "no such pin") {
			t.Errorf("without its pin: %v", err)
		}
		cancel()
		<-done
	})
}
