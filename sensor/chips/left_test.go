package chips_test

import (
	"testing"
	"testing/synctest"
	"time"

	"coldkeep/sensor"
	"coldkeep/sensor/chips"
)

// An owner that was left behind speaks to no chip any more once its call comes
// back: its successor's readings stay whole. Here it comes back while the
// successor waits for a conversion, and would have started another one.
func TestWhoWasLeftBehindSpeaksNoMore(t *testing.T) {
	for name, e := range entries() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := e.make(t, "left-"+name, constant(e.temp.Celsius()))
				defer b.close()
				buses := must[[]sensor.Bus](t)(chips.Open(t.Context(), []sensor.Probe{b.probe}, quiet()))
				at := time.Now()
				read := func() sensor.Reading {
					at = at.Add(time.Minute)
					time.Sleep(time.Until(at))
					return buses[0].Sweep(t.Context(), at)[0]
				}
				read()
				for range 5 {
					b.hang(true)
					read()
					b.hang(false)
					for range 3 {
						if r := read(); r.Good() && (r.Temp < e.temp-e.near || r.Temp > e.temp+e.near) {
							t.Errorf("%+v, where it is %s", r, e.temp)
						}
					}
					if r := read(); !r.Good() {
						t.Errorf("it does not recover: %q", r.Fault)
					}
				}
				buses[0].Close()
				synctest.Wait()
			})
		})
	}
}
