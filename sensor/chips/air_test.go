package chips

import (
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"

	"coldkeep/sensor"
	"coldkeep/sensor/chipsim"
)

func TestTroublesOfAirChips(t *testing.T) {
	type sim interface {
		chipsim.Device
		Set(chipsim.Trouble)
	}
	for name, mk := range map[string]func(chipsim.Source) (sim, i2cChip){
		"tmp102": func(s chipsim.Source) (sim, i2cChip) { return chipsim.NewTMP102(s), newTMP102(0x48) },
		"bmp280": func(s chipsim.Source) (sim, i2cChip) {
			return chipsim.NewBMP280(s), newBMx280(sensor.Probe{Chip: "bmp280"}, 0x76)
		},
		"bme280": func(s chipsim.Source) (sim, i2cChip) {
			return chipsim.NewBME280(s), newBMx280(sensor.Probe{Chip: "bme280"}, 0x76)
		},
		"hdc302x": func(s chipsim.Source) (sim, i2cChip) { return chipsim.NewHDC302x(s), newHDC302x(0x48) },
	} {
		for _, tr := range []chipsim.Trouble{chipsim.None, chipsim.Unplugged, chipsim.Intermittent, chipsim.Zeros, chipsim.Ones, chipsim.Noise, chipsim.Frozen, chipsim.PoweredAnew, chipsim.Busy, chipsim.WrongIdentity} {
			t.Run(name+"/"+string(tr), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					temp := 4.0
					d, c := mk(func(time.Time) float64 { return temp })
					s, err := chipsim.NewI2C(t.Name())
					if err != nil {
						t.Fatal(err)
					}
					defer s.Close()
					for _, a := range []uint16{0x48, 0x76} {
						s.Add(a, d)
					}
					b, err := i2creg.Open(t.Name())
					if err != nil {
						t.Fatal(err)
					}
					turn := func() outcome {
						time.Sleep(time.Minute)
						w, o := c.start(&leash{Bus: i2c.Bus(b), left: mostTx})
						if o.fault != "" {
							return o
						}
						time.Sleep(w)
						return c.read(&leash{Bus: b, left: mostTx})
					}
					for _, temp = range []float64{25.08, 0, -20, 4} {
						if o := turn(); o.fault != "" || o.raw < sensor.Temp(temp*1000)-40 || o.raw > sensor.Temp(temp*1000)+40 {
							t.Fatalf("before: %+v want %v", o, temp)
						}
					}
					d.Set(tr)
					temp = 20
					o := turn()
					t.Log(name, tr, o.fault, o.raw, o.cause)
					if o.fault == "" && (tr != chipsim.None || o.raw < 19900) {
						t.Errorf("believed %v", o.raw)
					}
					d.Set(chipsim.None)
					turn()
					if o := turn(); o.fault != "" || o.raw < 19900 {
						t.Errorf("after: %+v", o)
					}
				})
			})
		}
	}
}

// The datasheet's example of a BMP280 (section 3.12), and the tables of Texas
// Instruments for the format of a TMP102.
func TestVectorsOfAirChips(t *testing.T) {
	for _, id := range []byte{0x58, 0x60} {
		c := &bmx280Chip{addr: 0x76, id: id, known: []byte{0x70, 0x6b, 0x43, 0x67, 0x18, 0xfc}}
		if o := c.convert([]byte{0x7e, 0xed, 0x00}); o.fault != "" || o.raw != 25_080 {
			t.Errorf("%#x: %+v, want 25.08", id, o)
		}
	}
	for word, want := range map[uint16]sensor.Temp{0x640: 100_000, 0x500: 80_000, 0x4b0: 75_000, 0x320: 50_000, 0x190: 25_000, 0x188: 24_500, 0x004: 250, 0x000: 0, 0xffc: -250, 0xe70: -25_000} {
		c := &tmp102Chip{addr: 0x48}
		at := chipsim.NewTMP102(func(time.Time) float64 { return float64(want) / 1000 })
		synctest.Test(t, func(t *testing.T) {
			s, err := chipsim.NewI2C(t.Name())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			s.Add(0x48, at)
			b, err := i2creg.Open(t.Name())
			if err != nil {
				t.Fatal(err)
			}
			wait, o := c.start(b)
			time.Sleep(wait)
			r := make([]byte, 2)
			if err := b.Tx(0x48, []byte{0}, r); err != nil || o.fault != "" || uint16(r[0])<<4|uint16(r[1])>>4 != word {
				t.Errorf("%v: % x, want %#03x (%v, %+v)", want, r, word, err, o)
			}
			if o := c.read(b); o.fault != "" || o.raw != want {
				t.Errorf("%#03x: %+v, want %v", word, o, want)
			}
		})
	}
	for sum, data := range map[byte][]byte{0x92: {0xbe, 0xef}, 0x33: {0x30, 0x00}, 0x45: {0x47, 0xae}, 0xe4: {0x67, 0xa2}} {
		if got := crcSensirion(data); got != sum {
			t.Errorf("% x: %#02x, want %#02x", data, got, sum)
		}
	}
}
