// Package max31856 reads Analog Devices' (Maxim's) MAX31856, a converter for
// thermocouples with a cold junction sensor and linearisation of its own,
// through an SPI port of periph.
//
// # Registers
//
// The datasheet is 19-7534, rev. 0, the registers are on its pages 18 to 26.
// Addresses are for reading; a write adds 0x80. A transaction counts the address
// on by itself, so that all sixteen are read in one.
//
//	00     CR0    7 automatic, 6 one-shot (clears itself), 5:4 open-circuit test,
//	              3 cold junction sensor off, 2 interrupt mode of the faults,
//	              1 clear faults (clears itself), 0 filter for 50 Hz
//	01     CR1    6:4 averaging 1, 2, 4, 8, 16 samples; 3:0 type B E J K N R S T
//	02     MASK   5:0 faults that do not pull the FAULT pin; power-on FF
//	03 04  CJHF, CJLF    cold junction's thresholds, °C; power-on 7F, C0
//	05 06  LTHFT  high threshold, 1/16 °C; power-on 7FFF
//	07 08  LTLFT  low threshold, 1/16 °C; power-on 8000
//	09     CJTO   offset of the cold junction, 1/16 °C
//	0A 0B  CJT    cold junction, 14 bits from the left, 1/64 °C, signed;
//	              can be written while its sensor is off
//	0C–0E  LTC    temperature, 19 bits from the left, 1/128 °C, signed
//	0F     SR     7 cold junction out of range, 6 thermocouple out of range,
//	              5 cold junction high, 4 low, 3 thermocouple high, 2 low,
//	              1 over- or undervoltage, 0 open circuit
//
// # What is done beyond the datasheet's reading
//
// The chip has no identity, no checksum and no counter of conversions. So each
// reading is one one-shot conversion, and is believed only if
//
//   - the settings read back in the same transaction are those written: a chip
//     that lost its power for a moment has others, and takes a T for a K;
//   - the same sixteen bytes came twice: between conversions they stand still,
//     and bytes that differ were damaged on the wire;
//   - the cold junction is no longer the mark that was written to it before the
//     conversion: so the value is a new one, and not the 0 °C that the chip
//     shows while it does not convert;
//   - no fault is shown. The faults are in comparator mode, in which each bit
//     tells what is, not what once was, and in which there is nothing to clear.
//
// # What the chip cannot see
//
// A thermocouple that is shorted is one: it measures the temperature of the
// short. A wrong type set, or a wrong cable, reads wrong. A test for an open
// circuit is promised only once in 16 conversions (Table 4): a break may be told
// some readings late.
package max31856

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// Errors of a Dev. Whatever else comes is the port's own, or a Fault. After any
// of them the next Sense sets the chip up anew.
var (
	// ErrZeros: only zeros were read. The data line is stuck low, or the chip
	// has no power.
	ErrZeros = errors.New("only zeros were read")
	// ErrOnes: only ones were read. Nobody drives the data line.
	ErrOnes = errors.New("only ones were read")
	// ErrDamaged: the same registers read twice differ.
	ErrDamaged = errors.New("two readings of the same registers differ")
	// ErrSettings: the chip holds settings that nobody gave it. It is another
	// chip, or it does not hear what is written.
	ErrSettings = errors.New("the settings read back are not those written")
	// ErrReset: the settings are those of power-on.
	ErrReset = errors.New("the settings are those of power-on")
	// ErrBusy: the conversion did not end in its time.
	ErrBusy = errors.New("the conversion does not end")
	// ErrStale: no conversion has been done since the last reading.
	ErrStale = errors.New("no conversion was done")
)

// Opts are how the chip is set up.
type Opts struct {
	// Type is the thermocouple's. It must be given.
	Type Type
	// Mains is the frequency of the mains whose hum and its harmonics are
	// filtered: 50 or 60 Hz. 0 means 50 Hz. The chip allows a change only while
	// it does not convert, which is kept to when it is set up.
	Mains physic.Frequency
	// Average is how many samples are averaged: 1, 2, 4, 8 or 16. 0 means 4:
	// the input's noise of 1.3 µV (p. 3) is 0.04 °C of a type T at -80 °C, four
	// samples halve it, and take 0.12 s more.
	Average int
}

// The bits of CR0.
const (
	cr0Auto       = 0x80
	cr0OneShot    = 0x40
	cr0OpenTest   = 0x10 // 01: for less than 5 kΩ in series
	cr0NoJunction = 0x08
	cr0Interrupt  = 0x04
	cr0ClearFault = 0x02
	cr050Hz       = 0x01
)

// The addresses that are used.
const (
	regCR0  = 0x00
	regCR1  = 0x01
	regMask = 0x02
	regCJT  = 0x0a
	regLTC  = 0x0c
	regSR   = 0x0f
	write   = 0x80
)

// powerOn is what the registers 00…09 are after power-on.
var powerOn = [10]byte{0x00, 0x03, 0xff, 0x7f, 0xc0, 0x7f, 0xff, 0x80, 0x00, 0x00}

// mark is written to the cold junction before a conversion, which overwrites
// it: -50 °C, which is inside the thresholds and is no temperature of a board
// that measures anything.
const mark = 0xce00

// A conversion that is late is asked for this often more.
const (
	lateChecks = 10
	lateCheck  = 20 * time.Millisecond
)

// registers are the sixteen of the chip.
type registers [16]byte

// Dev is a MAX31856. But for Halt and Err it is for one goroutine at a time.
type Dev struct {
	name     string
	conn     spi.Conn
	opts     Opts
	settings [10]byte // what registers 00…09 must be between conversions
	ready    bool     // the chip has them

	mu   sync.Mutex // guards what SenseContinuous is doing, never held over a conversion
	stop chan struct{}
	done chan struct{}
	err  error
}

// New connects to the port: 1 MHz, mode 1. It does not touch the chip yet: the
// first Sense sets it up, and so does the first one after any error.
func New(p spi.Port, opts *Opts) (*Dev, error) {
	o := *opts
	if o.Mains == 0 {
		o.Mains = 50 * physic.Hertz
	}
	if o.Average == 0 {
		o.Average = 4
	}
	if _, err := ParseType(o.Type.String()); err != nil {
		return nil, err
	}
	if o.Mains != 50*physic.Hertz && o.Mains != 60*physic.Hertz {
		return nil, fmt.Errorf("max31856: mains of %s: 50 or 60 Hz can be filtered", o.Mains)
	}
	average, ok := map[int]byte{1: 0, 2: 1, 4: 2, 8: 3, 16: 4}[o.Average]
	if !ok {
		return nil, fmt.Errorf("max31856: average of %d samples: 1, 2, 4, 8 or 16 can be", o.Average)
	}
	// 5 MHz can be (p. 5), and modes 1 and 3; long wires want less.
	c, err := p.Connect(physic.MegaHertz, spi.Mode1, 8)
	if err != nil {
		return nil, fmt.Errorf("max31856: connect: %w", err)
	}
	d := &Dev{name: fmt.Sprint(p), conn: c, opts: o}
	low, high := o.Type.limits()
	d.settings = [10]byte{cr0OpenTest, average<<4 | o.Type.code(),
		0, // every fault shows on the pin; power-on is FF, so that these settings are never those of power-on
		junctionHigh, junctionLow & 0xff,
		byte(high * 16 >> 8), byte(high * 16), byte(low * 16 >> 8), byte(low * 16),
		0}
	if o.Mains == 50*physic.Hertz {
		d.settings[regCR0] |= cr050Hz
	}
	return d, nil
}

// String names the chip, its port and its thermocouple.
func (d *Dev) String() string { return fmt.Sprintf("MAX31856{%s, %s}", d.name, d.opts.Type) }

// Duration is how long a conversion may take, with a tenth to spare: 155 ms at
// 60 Hz, 185 ms at 50 Hz (p. 4), a cycle of the mains and its settling for each
// further sample (33.3 ms, 40 ms), and 15 ms for the open-circuit test (Table 4).
func (d *Dev) Duration() time.Duration {
	first, each := 155*time.Millisecond, 33333*time.Microsecond
	if d.opts.Mains == 50*physic.Hertz {
		first, each = 185*time.Millisecond, 40*time.Millisecond
	}
	return (first + time.Duration(d.opts.Average-1)*each + 15*time.Millisecond) * 11 / 10
}

// A Measurement is what one conversion gave.
type Measurement struct {
	Temperature  physic.Temperature // at the hot end
	ColdJunction physic.Temperature // at the chip
}

// Sense measures the temperature at the hot end. It blocks for Duration, longer
// where the chip is late or must be set up. With an error e is not changed.
func (d *Dev) Sense(e *physic.Env) error {
	m, err := d.Measure()
	if err != nil {
		return err
	}
	e.Temperature = m.Temperature
	return nil
}

// Measure is Sense with the temperature of the cold junction. Without an error
// the temperature is one that the type can have and the chip can measure.
func (d *Dev) Measure() (Measurement, error) {
	d.mu.Lock()
	running := d.stop != nil
	d.mu.Unlock()
	if running {
		return Measurement{}, errors.New("max31856: it senses continuously already; call Halt first")
	}
	return d.measure()
}

func (d *Dev) measure() (Measurement, error) {
	m, err := d.convert()
	if err != nil {
		d.ready = false
		return Measurement{}, fmt.Errorf("max31856: %w", err)
	}
	return m, nil
}

// convert sets the chip up where needed, lets it convert once, and judges what
// it says.
func (d *Dev) convert() (Measurement, error) {
	if !d.ready {
		if err := d.setUp(); err != nil {
			return Measurement{}, fmt.Errorf("set up: %w", err)
		}
		d.ready = true
	}
	if err := d.start(); err != nil {
		return Measurement{}, fmt.Errorf("start conversion: %w", err)
	}
	time.Sleep(d.Duration())
	return d.take()
}

// start marks the cold junction, which needs its sensor off for that, and asks
// for a conversion.
func (d *Dev) start() error {
	cr0 := d.settings[regCR0]
	for _, w := range [][]byte{
		{write | regCR0, cr0 | cr0NoJunction},
		{write | regCJT, mark >> 8, mark & 0xff},
		{write | regCR0, cr0 | cr0OneShot},
	} {
		if err := d.conn.Tx(w, nil); err != nil {
			return err
		}
	}
	return nil
}

// take reads what was converted, and waits a little where that is not yet.
func (d *Dev) take() (Measurement, error) {
	r, err := d.read()
	for n := 0; err == nil && r[regCR0]&cr0OneShot != 0 && n < lateChecks; n++ {
		time.Sleep(lateCheck)
		r, err = d.read()
	}
	if err == nil {
		err = d.again(r)
	}
	if err != nil {
		return Measurement{}, fmt.Errorf("read registers: %w", err)
	}
	return d.judge(r)
}

// judge tells what the registers are worth after a conversion.
func (d *Dev) judge(r registers) (Measurement, error) {
	if r.lost() {
		return Measurement{}, ErrReset
	}
	// A one-shot still asked for, and a cold junction still off, are told below.
	kept := r
	kept[regCR0] &^= cr0OneShot | cr0NoJunction
	if !kept.hold(d.settings) {
		return Measurement{}, fmt.Errorf("%w: % x, written were % x", ErrSettings, r[:len(d.settings)], d.settings)
	}
	m := Measurement{Temperature: r.hot(), ColdJunction: r.junction()}
	fault := Fault(r[regSR])
	if fault != 0 {
		// While an input is beyond the supply the chip does not convert at all:
		// that is told rather than that it is busy.
		return Measurement{}, fault
	}
	switch {
	case r[regCR0]&cr0OneShot != 0:
		return Measurement{}, ErrBusy
	case r[regCR0]&cr0NoJunction != 0, r.mark():
		return Measurement{}, ErrStale
	}
	// The chip's own thresholds are these. They are held here too, for one
	// damaged register more.
	low, high := d.opts.Type.Range()
	if m.Temperature > high {
		fault |= FaultHigh
	}
	if m.Temperature < low {
		fault |= FaultLow
	}
	if m.ColdJunction > junctionHigh*physic.Kelvin+physic.ZeroCelsius {
		fault |= FaultJunctionHigh
	}
	if m.ColdJunction < junctionLow*physic.Kelvin+physic.ZeroCelsius {
		fault |= FaultJunctionLow
	}
	if fault != 0 {
		return Measurement{}, fault
	}
	return m, nil
}

// setUp stops whatever the chip is doing and gives it its settings.
func (d *Dev) setUp() error {
	r, err := d.read()
	if err != nil {
		return err
	}
	// Faults kept by interrupt mode are cleared in it, since comparator mode
	// has no clearing. The filter stays as it is until all is still.
	if err := d.conn.Tx([]byte{write | regCR0, cr0Interrupt | cr0ClearFault | r[regCR0]&cr050Hz}, nil); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	if r[regCR0]&(cr0Auto|cr0OneShot) != 0 {
		time.Sleep(d.longest())
	}
	if err := d.conn.Tx(append([]byte{write | regCR0}, d.settings[:]...), nil); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	if r, err = d.read(); err == nil {
		err = d.again(r)
	}
	if err != nil {
		return err
	}
	if !r.hold(d.settings) {
		return fmt.Errorf("%w: % x, written were % x", ErrSettings, r[:len(d.settings)], d.settings)
	}
	return nil
}

// longest is how long a conversion may take that somebody else began.
func (d *Dev) longest() time.Duration {
	return (&Dev{opts: Opts{Mains: 50 * physic.Hertz, Average: 16}}).Duration()
}

// read takes all registers in one transaction.
func (d *Dev) read() (r registers, err error) {
	var w, got [1 + len(r)]byte
	if err := d.conn.Tx(w[:], got[:]); err != nil {
		return r, err
	}
	copy(r[:], got[1:])
	switch {
	case r == registers{}:
		return r, ErrZeros
	case r.ones():
		return r, ErrOnes
	}
	return r, nil
}

// again reads the registers once more and wants the same.
func (d *Dev) again(r registers) error {
	second, err := d.read()
	if err != nil {
		return err
	}
	if second != r {
		return fmt.Errorf("%w: % x, then % x", ErrDamaged, r, second)
	}
	return nil
}

// Precision gives the step of the temperature; the rest is not measured.
func (d *Dev) Precision(e *physic.Env) {
	e.Temperature, e.Pressure, e.Humidity = hotStep, 0, 0
}

var _ conn.Resource = &Dev{}
var _ physic.SenseEnv = &Dev{}
