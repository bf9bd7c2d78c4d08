package chips_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"coldkeep/sensor"
	"coldkeep/sensor/chips"
	"coldkeep/sensor/chipsim"
)

// A bench is a simulated chip on a bus of its own, at a temperature.
type bench struct {
	probe sensor.Probe
	set   func(chipsim.Trouble)
	hang  func(bool)
	close func() error
}

// An entry makes a chip, and tells which fault each trouble must give it. What
// it does not name is that of the row "*".
type entry struct {
	temp  sensor.Temp
	near  sensor.Temp // how exact the chip is
	make  func(t *testing.T, bus string, source chipsim.Source) bench
	wants map[chipsim.Trouble]sensor.Fault
}

const same = sensor.Fault("-") // the trouble does not concern the chip

func i2cBench(chip, address string, device func(chipsim.Source) (chipsim.Device, func(chipsim.Trouble))) func(*testing.T, string, chipsim.Source) bench {
	return func(t *testing.T, bus string, source chipsim.Source) bench {
		sim := must[*chipsim.I2C](t)(chipsim.NewI2C(bus))
		d, set := device(source)
		var addr uint16
		if _, err := fmt.Sscanf(address, "0x%x", &addr); err != nil {
			t.Fatal(err)
		}
		sim.Add(addr, d)
		return bench{sensor.Probe{ID: "p", Chip: chip, Bus: bus, Address: address, Medium: sensor.Air}, set, sim.Hang, sim.Close}
	}
}

func entries() map[string]entry {
	i2c := func(more map[chipsim.Trouble]sensor.Fault) map[chipsim.Trouble]sensor.Fault {
		m := map[chipsim.Trouble]sensor.Fault{chipsim.Unplugged: sensor.FaultAbsent, chipsim.Intermittent: sensor.FaultAbsent, chipsim.Zeros: sensor.FaultAllZero,
			chipsim.Ones: sensor.FaultAllOnes, chipsim.WrongIdentity: sensor.FaultIdentity, chipsim.Open: same, chipsim.Shorted: same, chipsim.Noise: "", chipsim.PoweredAnew: sensor.FaultReset}
		for k, v := range more {
			m[k] = v
		}
		return m
	}
	list := map[string]entry{
		"mcp9808": {4000, 63, i2cBench("mcp9808", "0x18", func(s chipsim.Source) (chipsim.Device, func(chipsim.Trouble)) {
			c := chipsim.NewMCP9808(s)
			return c, c.Set
		}), i2c(map[chipsim.Trouble]sensor.Fault{chipsim.Busy: same, chipsim.Frozen: "", chipsim.PoweredAnew: "", chipsim.WrongIdentity: ""})},
		"tmp117": {4000, 8, i2cBench("tmp117", "0x48", func(s chipsim.Source) (chipsim.Device, func(chipsim.Trouble)) {
			c := chipsim.NewTMP117(s)
			return c, c.Set
		}), i2c(map[chipsim.Trouble]sensor.Fault{chipsim.Busy: sensor.FaultBusy, chipsim.Frozen: sensor.FaultBusy, chipsim.WrongIdentity: "", chipsim.PoweredAnew: ""})},
		"sht4x": {4000, 3, i2cBench("sht4x", "0x44", func(s chipsim.Source) (chipsim.Device, func(chipsim.Trouble)) {
			c := chipsim.NewSHT4x(s)
			return c, c.Set
		}), i2c(map[chipsim.Trouble]sensor.Fault{chipsim.Busy: sensor.FaultAbsent, chipsim.Frozen: sensor.FaultAbsent, chipsim.Noise: sensor.FaultCRC, chipsim.PoweredAnew: same, chipsim.WrongIdentity: sensor.FaultAbsent})},
		"hdc302x": {4000, 3, i2cBench("hdc302x", "0x44", func(s chipsim.Source) (chipsim.Device, func(chipsim.Trouble)) {
			c := chipsim.NewHDC302x(s)
			return c, c.Set
		}), i2c(map[chipsim.Trouble]sensor.Fault{chipsim.Busy: sensor.FaultBusy, chipsim.Frozen: sensor.FaultBusy, chipsim.Noise: sensor.FaultCRC, chipsim.WrongIdentity: sensor.FaultIdentity})},
		"tmp102": {4000, 63, i2cBench("tmp102", "0x48", func(s chipsim.Source) (chipsim.Device, func(chipsim.Trouble)) {
			c := chipsim.NewTMP102(s)
			return c, c.Set
		}), i2c(map[chipsim.Trouble]sensor.Fault{chipsim.Busy: sensor.FaultBusy, chipsim.Frozen: sensor.FaultStale})},
		"bmp280": {4000, 10, i2cBench("bmp280", "0x76", func(s chipsim.Source) (chipsim.Device, func(chipsim.Trouble)) {
			c := chipsim.NewBMP280(s)
			return c, c.Set
		}), i2c(map[chipsim.Trouble]sensor.Fault{chipsim.Busy: sensor.FaultBusy, chipsim.Frozen: sensor.FaultStale, chipsim.WrongIdentity: sensor.FaultIdentity})},
		"bme280": {4000, 10, i2cBench("bme280", "0x77", func(s chipsim.Source) (chipsim.Device, func(chipsim.Trouble)) {
			c := chipsim.NewBME280(s)
			return c, c.Set
		}), i2c(map[chipsim.Trouble]sensor.Fault{chipsim.Busy: sensor.FaultBusy, chipsim.Frozen: sensor.FaultStale, chipsim.WrongIdentity: sensor.FaultIdentity})},
		"ads1115": {4000, 10, func(t *testing.T, bus string, source chipsim.Source) bench {
			b := i2cBench("ads1115", "0x49", func(s chipsim.Source) (chipsim.Device, func(chipsim.Trouble)) {
				c := chipsim.NewADS1115(nil, chipsim.Thermistor(s, 10_000, 3950, 10_000, 3.3))
				return c, c.Set
			})(t, bus, source)
			b.probe.Settings = sensor.Settings{Input: 1, Series: 10_000, Supply: 3.3, R25: 10_000, Beta: 3950}
			return b
		}, i2c(map[chipsim.Trouble]sensor.Fault{chipsim.Busy: sensor.FaultBusy, chipsim.Frozen: sensor.FaultBusy, chipsim.WrongIdentity: sensor.FaultReset, chipsim.PoweredAnew: "",
			chipsim.Open: sensor.FaultOpen, chipsim.Shorted: sensor.FaultShort})},
		"ds18b20": {4000, 63, func(t *testing.T, bus string, source chipsim.Source) bench {
			sim := must[*chipsim.OneWire](t)(chipsim.NewOneWire(bus))
			c := must[*chipsim.DS18B20](t)(chipsim.NewDS18B20(address(0), source))
			sim.Add(c)
			set := func(trouble chipsim.Trouble) {
				sim.StickLow(trouble == chipsim.Zeros)
				if trouble != chipsim.Zeros {
					c.Set(trouble)
				}
			}
			return bench{sensor.Probe{ID: "p", Chip: "ds18b20", Bus: bus, Address: address(0), Medium: sensor.Air}, set, sim.Hang, sim.Close}
		}, map[chipsim.Trouble]sensor.Fault{chipsim.Unplugged: sensor.FaultAbsent, chipsim.Intermittent: "", chipsim.Zeros: sensor.FaultAllZero, chipsim.Ones: sensor.FaultAbsent,
			chipsim.Noise: sensor.FaultCRC, chipsim.Frozen: sensor.FaultStale, chipsim.PoweredAnew: sensor.FaultPowerOn, chipsim.Busy: same, chipsim.WrongIdentity: same, chipsim.Open: same, chipsim.Shorted: same}},
		"ds18b20 behind a bridge": {4000, 63, func(t *testing.T, bus string, source chipsim.Source) bench {
			sim := must[*chipsim.I2C](t)(chipsim.NewI2C(bus))
			line := must[*chipsim.OneWire](t)(chipsim.NewOneWire(bus + "-line"))
			line.Add(must[*chipsim.DS18B20](t)(chipsim.NewDS18B20(address(0), source)))
			c := chipsim.NewDS2482(line)
			sim.Add(0x1b, c)
			set := func(trouble chipsim.Trouble) {
				if line.StickLow(trouble == chipsim.Shorted); trouble != chipsim.Shorted {
					c.Set(trouble)
				}
			}
			return bench{sensor.Probe{ID: "p", Chip: "ds18b20", Bus: bus, Bridge: "0x1b", Address: address(0), Medium: sensor.Air}, set, sim.Hang,
				func() error { return errors.Join(sim.Close(), line.Close()) }}
		}, i2c(map[chipsim.Trouble]sensor.Fault{chipsim.Busy: "", chipsim.Frozen: same, chipsim.PoweredAnew: "", chipsim.WrongIdentity: same, chipsim.Zeros: "", chipsim.Ones: "", // who answers is asked in bridge_test.go
			chipsim.Shorted: sensor.FaultBus})},
		"tmp117 behind a multiplexer": {4000, 8, func(t *testing.T, bus string, source chipsim.Source) bench {
			sim := must[*chipsim.I2C](t)(chipsim.NewI2C(bus))
			mux := chipsim.NewPCA9548()
			mux.Add(3, 0x48, chipsim.NewTMP117(source))
			mux.Add(4, 0x48, chipsim.NewTMP117(constant(-20)))
			sim.Add(0x70, mux)
			return bench{sensor.Probe{ID: "p", Chip: "tmp117", Bus: bus, Mux: "0x70/3", Address: "0x48", Medium: sensor.Air}, mux.Set, sim.Hang, sim.Close}
		}, i2c(map[chipsim.Trouble]sensor.Fault{chipsim.Busy: same, chipsim.Frozen: sensor.FaultBus, chipsim.Zeros: sensor.FaultBus, chipsim.Ones: sensor.FaultBus, chipsim.WrongIdentity: same, chipsim.PoweredAnew: ""})},
	}
	for name, element := range map[string]string{"max31865": "pt100", "max31856": "T"} {
		spi := map[chipsim.Trouble]sensor.Fault{chipsim.Unplugged: sensor.FaultAllOnes, chipsim.Intermittent: "", chipsim.Zeros: sensor.FaultAllZero, chipsim.Ones: sensor.FaultAllOnes,
			chipsim.Noise: "", chipsim.Frozen: sensor.FaultStale, chipsim.PoweredAnew: sensor.FaultReset, chipsim.Busy: sensor.FaultBusy, chipsim.WrongIdentity: "", chipsim.Open: sensor.FaultOpen,
			chipsim.Shorted: sensor.FaultShort}
		if name == "max31856" {
			spi[chipsim.Shorted] = same // it shows the temperature of the short
		}
		list[name] = entry{-80_000, 40, func(t *testing.T, bus string, source chipsim.Source) bench {
			b := bench{probe: sensor.Probe{ID: "p", Chip: name, Bus: bus, Medium: sensor.Air, Settings: sensor.Settings{Element: element}}}
			var sim *chipsim.SPI
			if name == "max31865" {
				c := must[*chipsim.MAX31865](t)(chipsim.NewMAX31865(source, element, 430))
				sim, b.set = must[*chipsim.SPI](t)(chipsim.NewSPI(bus, c)), c.Set
			} else {
				c := must[*chipsim.MAX31856](t)(chipsim.NewMAX31856(source, constant(23), element))
				sim, b.set = must[*chipsim.SPI](t)(chipsim.NewSPI(bus, c)), c.Set
			}
			b.hang, b.close = sim.Hang, sim.Close
			return b
		}, spi}
	}
	return list
}

var everyTrouble = []chipsim.Trouble{chipsim.Unplugged, chipsim.Intermittent, chipsim.Zeros, chipsim.Ones, chipsim.Noise, chipsim.Frozen, chipsim.PoweredAnew, chipsim.Busy,
	chipsim.WrongIdentity, chipsim.Open, chipsim.Shorted}

// Every chip with every trouble gives a fault that has a name, within the bus's
// deadline, and never a temperature that is not there; the bus beside it keeps
// its rhythm; and when the trouble goes the chip reads again by itself.
func TestEveryChipWithEveryTrouble(t *testing.T) {
	all := entries()
	for _, c := range sensor.Chips() {
		if _, ok := all[c.Name]; !ok {
			t.Errorf("chip %s is not in the table", c.Name)
		}
	}
	for name, e := range all {
		for _, trouble := range everyTrouble {
			want, told := e.wants[trouble]
			if !told {
				t.Errorf("%s: nothing is said of %s", name, trouble)
			}
			if want == same {
				continue
			}
			t.Run(name+"/"+string(trouble), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { oneTrouble(t, name, e, trouble, want) })
			})
		}
	}
}

func oneTrouble(t *testing.T, name string, e entry, trouble chipsim.Trouble, want sensor.Fault) {
	bus := "bench-" + name + "-" + string(trouble)
	b := e.make(t, bus, constant(e.temp.Celsius()))
	defer func() {
		if err := b.close(); err != nil {
			t.Error(err)
		}
	}()
	beside := chipsim.Source(constant(5))
	wire := must[*chipsim.OneWire](t)(chipsim.NewOneWire(bus + "-beside"))
	defer wire.Close()
	wire.Add(must[*chipsim.DS18B20](t)(chipsim.NewDS18B20(address(9), beside)))
	neighbour := sensor.Probe{ID: "n", Chip: "ds18b20", Bus: bus + "-beside", Address: address(9), Medium: sensor.Air}
	buses := must[[]sensor.Bus](t)(chips.Open(t.Context(), []sensor.Probe{b.probe, neighbour}, chips.Options{Log: slog.New(slog.DiscardHandler)}))
	defer func() {
		for _, x := range buses {
			if err := x.Close(); err != nil {
				t.Error(err)
			}
		}
	}()
	at := time.Now()
	read := func() sensor.Reading {
		t.Helper()
		at = at.Add(10 * time.Second)
		time.Sleep(time.Until(at))
		r := buses[0].Sweep(t.Context(), at)[0]
		if took := time.Since(at); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		if n := buses[1].Sweep(t.Context(), at)[0]; n.Fault != "" || n.Temp != 5000 {
			t.Errorf("the bus beside: %+v", n)
		}
		if r.Good() && (r.Temp < e.temp-e.near || r.Temp > e.temp+e.near) {
			t.Errorf("%s °C, where it is %s", r.Temp, e.temp)
		}
		if r.Fault != "" && r.Fault.Sentence() == (sensor.Fault("?")+r.Fault).Sentence() {
			t.Errorf("fault %q has no sentence", r.Fault)
		}
		return r
	}
	if r := read(); !r.Good() {
		t.Fatalf("before the trouble: %q", r.Fault)
	}
	b.set(trouble)
	seen := map[sensor.Fault]int{}
	for range 6 {
		seen[read().Fault]++
	}
	if want != "" && seen[want] == 0 {
		t.Errorf("faults %v, want %q among them", seen, want)
	}
	if trouble != chipsim.Intermittent && trouble != chipsim.PoweredAnew && trouble != chipsim.Noise && want != "" && seen[""] > 0 {
		t.Errorf("%d of six readings are temperatures: %v", seen[""], seen)
	}
	b.set(chipsim.None)
	read()
	read()
	if r := read(); !r.Good() {
		t.Errorf("after the trouble: %q", r.Fault)
	}
}

// A bus of any kind that hangs is given up within its deadline and opened
// again, while the bus beside it keeps its rhythm.
func TestEveryBusThatHangs(t *testing.T) {
	for name, e := range entries() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := e.make(t, "hangs-"+name, constant(e.temp.Celsius()))
				defer b.close()
				buses := must[[]sensor.Bus](t)(chips.Open(t.Context(), []sensor.Probe{b.probe}, quiet()))
				at := time.Now()
				read := func() sensor.Reading {
					at = at.Add(10 * time.Second)
					time.Sleep(time.Until(at))
					return buses[0].Sweep(t.Context(), at)[0]
				}
				read()
				b.hang(true)
				if r := read(); r.Fault != sensor.FaultTimeout || time.Since(at) != 5*time.Second {
					t.Errorf("%q after %v, want a timeout after 5 s", r.Fault, time.Since(at))
				}
				b.hang(false)
				read()
				if r := read(); !r.Good() || r.Temp < e.temp-e.near || r.Temp > e.temp+e.near {
					t.Errorf("afterwards: %+v", r)
				}
				buses[0].Close()
				synctest.Wait()
			})
		})
	}
}
