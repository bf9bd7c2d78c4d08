// Package max31865 reads Analog Devices' (Maxim's) MAX31865, a converter for
// platinum resistance thermometers PT100 and PT1000 with 2, 3 or 4 wires,
// through an SPI port of periph.
//
// # Registers
//
// The datasheet is 19-6478, rev. 3; RTD, thresholds and faults are on its pages 14
// and 15, what the faults mean on 21 and 22. Addresses are for reading; a write adds 0x80. A transaction counts the
// address on by itself.
//
//	00     configuration: 7 bias on, 6 automatic, 5 one-shot (clears itself),
//	       4 three wires, 3:2 fault-detection cycle (clears itself), 1 clear
//	       faults (clears itself), 0 filter for 50 Hz
//	01 02  RTD: 15 bits from the left, in 1/32768 of the reference; bit 0: fault
//	03 04  high threshold, as RTD; power-on FFFF
//	05 06  low threshold, as RTD; power-on 0000
//	07     faults, see Fault
//
// # What is done beyond the datasheet's reading
//
// The chip has no identity, no checksum and no counter of conversions. So a
// reading is believed only if
//
//   - configuration and thresholds read back in the same transaction are those
//     written: a chip that lost its power for a moment has others;
//   - the same bytes came twice: bytes that differ were damaged on the wire;
//   - a conversion right before, under a low threshold above every value, did
//     set the bit that it must set: so the chip converts, and finds faults;
//   - no fault is shown, and the temperature is within the range.
//
// A fault-detection cycle is run before each conversion, since with FORCE- broken
// the data may be anything (Table 12), and again when a conversion has shown a
// fault, for its cause. The
// bias is on while it measures and at no other time, since it heats the element.
package max31865

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// Errors of a Dev. Whatever else comes is the port's own, or a *FaultError.
// After any of them the next Sense sets the chip up anew.
var (
	// ErrZeros: only zeros were read. The data line is stuck low, or the chip
	// has no power.
	ErrZeros = errors.New("only zeros were read")
	// ErrOnes: only ones were read. Nobody drives the data line.
	ErrOnes = errors.New("only ones were read")
	// ErrDamaged: the same registers read twice differ.
	ErrDamaged = errors.New("two readings of the same registers differ")
	// ErrSettings: the chip holds settings that nobody gave it.
	ErrSettings = errors.New("the settings read back are not those written")
	// ErrReset: the settings are those of power-on.
	ErrReset = errors.New("the settings are those of power-on")
	// ErrBusy: a conversion or a fault-detection cycle did not end in its time.
	ErrBusy = errors.New("the conversion does not end")
	// ErrStale: no conversion was done.
	ErrStale = errors.New("no conversion was done")
	// ErrRange: the temperature is outside Opts' Low and High.
	ErrRange = errors.New("the temperature is out of range")
)

// Opts are how the chip is wired and set up. Zero means the default.
type Opts struct {
	Nominal   float64          // Ω at 0 °C: 100 or 1000; 0 means 100, a PT100
	Reference float64          // Ω of the reference resistor; 0 means 4.3 times Nominal
	Wires     int              // 2, 3 or 4; 0 means 4
	Mains     physic.Frequency // whose hum is filtered, 50 or 60 Hz; 0 means 50 Hz
	// Low and High are the useful range, both ends included; 0 (no temperature
	// of platinum) means -200 and 550 °C. The thresholds are 5 °C outside it.
	Low, High physic.Temperature
	// Settle is how long the bias needs: 10.5 time constants of the input's
	// filter and 1 ms (Configuration Register). 0 means 10 ms, as boards with 100 nF need.
	Settle time.Duration
}

// The bits of the configuration.
const (
	cfgBias    = 0x80
	cfgAuto    = 0x40
	cfgOneShot = 0x20
	cfg3Wire   = 0x10
	cfgCycle   = 0x04 // with automatic delay
	cfgCycling = 0x0c
	cfgClear   = 0x02
	cfg50Hz    = 0x01
)

const write = 0x80

// A conversion or cycle that is late is asked for this often more.
const (
	lateChecks = 10
	lateCheck  = 10 * time.Millisecond
)

// A cycle takes 0.6 ms at most (Electrical Characteristics). Its delays of 100 µs
// suit filters of 100 nF with a PT100 and of 10 nF with a PT1000, as boards have.
const cycleTime = time.Millisecond

// always is a low threshold that no code is above.
var always = [2]byte{0xff, 0xfe}

type registers [8]byte

func (r registers) code() uint16  { return (uint16(r[1])<<8 | uint16(r[2])) >> 1 }
func (r registers) faulty() bool  { return r[2]&1 != 0 || r.status() != 0 }
func (r registers) status() Fault { return Fault(r[7] & 0xfc) }

// Dev is a MAX31865. But for Halt and Err it is for one goroutine at a time.
type Dev struct {
	name   string
	conn   spi.Conn
	opts   Opts
	config byte    // with the bias off
	window [4]byte // high and low threshold
	ready  bool    // the chip has them

	mu   sync.Mutex // guards what SenseContinuous is doing, never held over a conversion
	stop chan struct{}
	done chan struct{}
	err  error
}

// New connects to the port: 1 MHz, mode 1. It does not touch the chip yet: the
// first Sense sets it up, and so does the first one after any error.
func New(p spi.Port, opts *Opts) (*Dev, error) {
	o := *opts
	if o.Nominal == 0 {
		o.Nominal = 100
	}
	if o.Reference == 0 {
		o.Reference = 4.3 * o.Nominal
	}
	if o.Wires == 0 {
		o.Wires = 4
	}
	if o.Mains == 0 {
		o.Mains = 50 * physic.Hertz
	}
	if o.Low == 0 {
		o.Low = physic.ZeroCelsius - 200*physic.Kelvin
	}
	if o.High == 0 {
		o.High = physic.ZeroCelsius + 550*physic.Kelvin
	}
	if o.Settle == 0 {
		o.Settle = 10 * time.Millisecond
	}
	switch {
	case o.Nominal != 100 && o.Nominal != 1000:
		return nil, fmt.Errorf("max31865: element of %g Ω: 100 or 1000 Ω can be", o.Nominal)
	case o.Wires < 2 || o.Wires > 4:
		return nil, fmt.Errorf("max31865: %d wires: 2, 3 or 4 can be", o.Wires)
	case o.Mains != 50*physic.Hertz && o.Mains != 60*physic.Hertz:
		return nil, fmt.Errorf("max31865: mains of %s: 50 or 60 Hz can be filtered", o.Mains)
	case !(o.Reference >= o.Nominal && o.Reference <= 100*o.Nominal):
		return nil, fmt.Errorf("max31865: reference of %g Ω: it must be above what the element of %g Ω has", o.Reference, o.Nominal)
	case o.Low >= o.High || celsius(o.Low) < -200 || celsius(o.High) > 850:
		return nil, fmt.Errorf("max31865: range %s to %s: -200 to 850 °C is possible", o.Low, o.High)
	case o.Settle < 0:
		return nil, fmt.Errorf("max31865: settling time %v is below 0", o.Settle)
	}
	// 5 MHz can be, and modes 1 and 3; long wires want less.
	c, err := p.Connect(physic.MegaHertz, spi.Mode1, 8)
	if err != nil {
		return nil, fmt.Errorf("max31865: connect: %w", err)
	}
	d := &Dev{name: fmt.Sprint(p), conn: c, opts: o}
	if o.Wires == 3 {
		d.config |= cfg3Wire
	}
	if o.Mains == 50*physic.Hertz {
		d.config |= cfg50Hz
	}
	high, low := d.threshold(celsius(o.High)+5), d.threshold(celsius(o.Low)-5)
	d.window = [4]byte{byte(high >> 8), byte(high), byte(low >> 8), byte(low)}
	return d, nil
}

func celsius(t physic.Temperature) float64 {
	return float64(t-physic.ZeroCelsius) / float64(physic.Kelvin)
}

// threshold is the register for a temperature. It stays below full scale, which
// is what a broken element reads.
func (d *Dev) threshold(t float64) uint16 {
	code := math.Round(Resistance(t, d.opts.Nominal) / d.opts.Reference * 32768)
	return uint16(min(max(code, 1), FullScale-1)) << 1
}

// String names the chip, its port and its element.
func (d *Dev) String() string { return fmt.Sprintf("MAX31865{%s, PT%g}", d.name, d.opts.Nominal) }

// conversion is how long one may take (Electrical Characteristics).
func (d *Dev) conversion() time.Duration {
	if d.opts.Mains == 50*physic.Hertz {
		return 66 * time.Millisecond
	}
	return 55 * time.Millisecond
}

// Duration is how long a Sense takes where the chip is set up: its bias settles,
// its wires are looked at, and it converts twice.
func (d *Dev) Duration() time.Duration { return d.opts.Settle + cycleTime + 2*d.conversion() }

// A Measurement is what one conversion gave.
type Measurement struct {
	Temperature physic.Temperature
	Resistance  float64 // Ω
	Code        uint16  // in 1/32768 of the reference
}

// Sense measures the temperature. It blocks for Duration, longer where the chip
// is late or must be set up. With an error e is not changed.
func (d *Dev) Sense(e *physic.Env) error {
	m, err := d.Measure()
	if err != nil {
		return err
	}
	e.Temperature = m.Temperature
	return nil
}

// Measure is Sense with the resistance.
func (d *Dev) Measure() (Measurement, error) {
	d.mu.Lock()
	running := d.stop != nil
	d.mu.Unlock()
	if running {
		return Measurement{}, errors.New("max31865: it senses continuously already; call Halt first")
	}
	return d.measure()
}

func (d *Dev) measure() (Measurement, error) {
	m, err := d.turn()
	// Whatever happened, the bias heats the element no longer.
	if off := d.configure(0); off != nil {
		err = errors.Join(err, fmt.Errorf("switch bias off: %w", off))
	}
	if err != nil {
		d.ready = false
		return Measurement{}, fmt.Errorf("max31865: %w", err)
	}
	return m, nil
}

// turn sets the chip up where needed, lets it convert twice, and judges it.
func (d *Dev) turn() (Measurement, error) {
	if !d.ready {
		if err := d.setUp(); err != nil {
			return Measurement{}, fmt.Errorf("set up: %w", err)
		}
		d.ready = true
	} else {
		r, err := d.readTwice()
		if err == nil {
			err = d.holds(r, 0, d.window)
		}
		if err != nil {
			return Measurement{}, fmt.Errorf("read registers: %w", err)
		}
	}
	if err := d.configure(cfgBias | cfgClear); err != nil {
		return Measurement{}, fmt.Errorf("switch bias on: %w", err)
	}
	time.Sleep(d.opts.Settle)
	r, err := d.cycle()
	if err != nil {
		return Measurement{}, fmt.Errorf("look at the wires: %w", err)
	}
	if r.status() != 0 {
		return Measurement{}, &FaultError{Bits: r.status()}
	}
	proof := [4]byte{d.window[0], d.window[1], always[0], always[1]}
	if err := d.thresholds(proof); err != nil {
		return Measurement{}, err
	}
	r, err = d.convert(proof)
	if err != nil {
		return Measurement{}, err
	}
	switch s := r.status(); {
	case s&^(FaultHigh|FaultLow) != 0:
		return Measurement{}, d.explain(r)
	case s == 0:
		return Measurement{}, ErrStale
	}
	if err := d.thresholds(d.window); err != nil {
		return Measurement{}, err
	}
	if r, err = d.convert(d.window); err != nil {
		return Measurement{}, err
	}
	if r.faulty() {
		return Measurement{}, d.explain(r)
	}
	ohm := float64(r.code()) / 32768 * d.opts.Reference
	t := Temperature(ohm, d.opts.Nominal)
	if !(t >= celsius(d.opts.Low) && t <= celsius(d.opts.High)) {
		return Measurement{}, fmt.Errorf("%w: %.3f °C, %.3f Ω", ErrRange, t, ohm)
	}
	return Measurement{Temperature: physic.Temperature(math.Round(t*float64(physic.Kelvin))) + physic.ZeroCelsius, Resistance: ohm, Code: r.code()}, nil
}

// explain looks for the cause of a fault that a conversion found.
func (d *Dev) explain(r registers) error {
	f := &FaultError{Bits: r.status(), Code: r.code()}
	if err := d.thresholds(d.window); err != nil {
		return errors.Join(f, err)
	}
	c, err := d.cycle()
	var more *FaultError
	if errors.As(err, &more) { // the one that comes at any time
		f.Bits |= more.Bits
		return f
	}
	if err != nil {
		return errors.Join(f, fmt.Errorf("find its cause: %w", err))
	}
	f.Bits |= c.status()
	return f
}

// convert clears the faults and lets the chip convert once, under thresholds
// that were written before.
func (d *Dev) convert(thresholds [4]byte) (registers, error) {
	err := d.configure(cfgBias | cfgClear)
	if err == nil { // not together with the clearing (Configuration Register)
		err = d.configure(cfgBias | cfgOneShot)
	}
	if err != nil {
		return registers{}, fmt.Errorf("start conversion: %w", err)
	}
	time.Sleep(d.conversion())
	r, err := d.ended(cfgOneShot, thresholds)
	if err != nil {
		return r, fmt.Errorf("read conversion: %w", err)
	}
	return r, nil
}

// ended reads the registers, and waits a little while the chip is busy.
func (d *Dev) ended(busy byte, thresholds [4]byte) (registers, error) {
	r, err := d.read()
	for n := 0; err == nil && r[0]&busy != 0 && n < lateChecks; n++ {
		time.Sleep(lateCheck)
		r, err = d.read()
	}
	if err == nil {
		err = d.again(r)
	}
	if err != nil {
		return r, err
	}
	kept := r
	kept[0] &^= busy
	if err := d.holds(kept, cfgBias, thresholds); err != nil {
		return r, err
	}
	switch {
	case r.status().Has(FaultVoltage): // it does not convert then: the reason is told
		return r, &FaultError{Bits: r.status(), Code: r.code()}
	case r[0]&busy != 0:
		return r, ErrBusy
	}
	return r, nil
}

// cycle looks for broken and shorted wires, with the bias settled.
func (d *Dev) cycle() (registers, error) {
	if err := d.configure(cfgBias | cfgCycle); err != nil {
		return registers{}, err
	}
	time.Sleep(cycleTime)
	return d.ended(cfgCycling, d.window)
}

// setUp stops whatever the chip is doing, and gives it its thresholds. Whether
// it has them shows when its wires are looked at.
func (d *Dev) setUp() error {
	r, err := d.read()
	if err != nil {
		return err
	}
	if r[0]&(cfgAuto|cfgOneShot) != 0 { // the filter must not change before it is still (Configuration Register)
		if err := d.conn.Tx([]byte{write, r[0] & (cfg50Hz | cfg3Wire)}, nil); err != nil {
			return fmt.Errorf("stop: %w", err)
		}
		time.Sleep(66 * time.Millisecond)
	}
	return d.thresholds(d.window)
}

func (d *Dev) configure(bits byte) error { return d.conn.Tx([]byte{write, d.config | bits}, nil) }

func (d *Dev) thresholds(t [4]byte) error {
	if err := d.conn.Tx([]byte{write | 3, t[0], t[1], t[2], t[3]}, nil); err != nil {
		return fmt.Errorf("write thresholds: %w", err)
	}
	return nil
}

// holds says whether the registers have the settings.
func (d *Dev) holds(r registers, bits byte, thresholds [4]byte) error {
	got := [4]byte(r[3:7])
	switch {
	case got == [4]byte{0xff, 0xff, 0, 0}:
		return ErrReset
	case r[0] != d.config|bits || got != thresholds:
		return fmt.Errorf("%w: % x, written were %02x and % x", ErrSettings, r[:], d.config|bits, thresholds[:])
	}
	return nil
}

// read takes all registers in one transaction.
func (d *Dev) read() (r registers, err error) {
	var w, got [1 + len(r)]byte
	if err := d.conn.Tx(w[:], got[:]); err != nil {
		return r, err
	}
	copy(r[:], got[1:])
	switch r {
	case registers{}:
		return r, ErrZeros
	case registers{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}:
		return r, ErrOnes
	}
	return r, nil
}

func (d *Dev) readTwice() (registers, error) {
	r, err := d.read()
	if err == nil {
		err = d.again(r)
	}
	return r, err
}

// again reads the registers once more and wants the same.
func (d *Dev) again(r registers) error {
	second, err := d.read()
	if err != nil {
		return err
	}
	if second != r {
		return fmt.Errorf("%w: % x, then % x", ErrDamaged, r[:], second[:])
	}
	return nil
}

// Precision gives the step of the temperature at 0 °C; the rest is not measured.
func (d *Dev) Precision(e *physic.Env) {
	step := d.opts.Reference / 32768 / (d.opts.Nominal * cvdA)
	e.Temperature, e.Pressure, e.Humidity = physic.Temperature(step*float64(physic.Kelvin)), 0, 0
}

var _ conn.Resource = &Dev{}
var _ physic.SenseEnv = &Dev{}
