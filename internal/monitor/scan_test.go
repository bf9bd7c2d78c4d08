package monitor

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// A scan is enough to receive a batch; what contradicts it, or says nothing, is
// refused and leaves nothing behind.
func TestABatchIsReceivedByAScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := newRig(t, dir, testConfig())
		r.m.o.Products = map[string]string{"05412345000013": "p"}
		for i := range r.bus.next {
			r.bus.next[i] = sensor.Reading{Temp: 5000, Raw: 5000}
		}
		time.Sleep(interval)
		r.m.Sweep(r.ctx, sensor.At(time.Now()))
		give := func(id string, c coldchain.Command) (coldchain.Event, error) {
			c.ID, c.Name, c.By = id, "receive", "Anna Example"
			return r.m.order(r.ctx, c)
		}
		for want, c := range map[string]coldchain.Command{
			"wrongly":           {Scan: "(01)05412345000014(10)A"},
			"no GTIN":           {Scan: "(10)A(17)290331"},
			"products":          {Scan: "(01)95012345678903(10)A"},
			"code says \"A\"":   {Scan: "(01)05412345000013(10)A", Lot: "B"},
			"is no id":          {Scan: "(01)05412345000013"},
			"no profile \"p9\"": {Scan: "(01)95012345678903(10)A", Profile: "p9"},
		} {
			_, err := give("bad "+want, c)
			var no *coldchain.Refusal
			if !errors.As(err, &no) || !strings.Contains(no.Message, want) {
				t.Errorf("%+v: %v, want a refusal with %q", c, err, want)
			}
		}
		if n := len(r.m.Snapshot().Batches); n != 0 {
			t.Errorf("%d batches after refusals", n)
		}
		ev, err := give("1", coldchain.Command{Scan: "]d2010541234500001310AB/12\x1d17290300\x1d217", Vials: 8})
		if err != nil {
			t.Fatal(err)
		}
		if ev.Batch != "AB-12-7" || ev.Profile != "p" || ev.Lot != "AB/12" || ev.Expiry != "2029-03-31" || ev.GTIN != "05412345000013" || ev.Serial != "7" || ev.Vials != 8 {
			t.Errorf("%+v", ev)
		}
		again, err := give("1", coldchain.Command{Scan: "]d2010541234500001310AB/12\x1d17290300\x1d217", Vials: 8})
		if err != nil || again.Seq != ev.Seq {
			t.Errorf("a repeat: %+v, %v", again, err)
		}
		// A restart from the record alone knows it still.
		r.kill()
		r = newRig(t, dir, testConfig())
		defer r.kill()
		if b := r.m.Snapshot().Batches; len(b) != 1 || b[0].GTIN != "05412345000013" || b[0].Serial != "7" || b[0].Expiry != "2029-03-31" {
			t.Errorf("after a restart: %+v", b)
		}
	})
}
