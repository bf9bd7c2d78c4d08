package coldchain

import (
	"bytes"
	"compress/flate"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"

	"coldkeep/sensor"
)

// checkpointVersion changes with the shape or the meaning of what is kept.
// A checkpoint is a cache: one of another version is not read.
const checkpointVersion = 4

type checkpoint struct {
	Version  int
	Config   uint64 // hash
	Now      sensor.Instant
	Retired  []Unit // left the config, but batches need them
	Loggers  []Unit // that travelled with batches which still count on them
	Backups  []backup
	Units    []unitPoint
	Places   []place
	Batches  []batchPoint
	Plans    []plan
	Recalls  []recall
	Profiles []Profile // of batches, as received
}

type unitPoint struct {
	ID        string
	Since     sensor.Instant
	Entered   bool
	Unmon     bool
	UnmonAt   sensor.Instant
	OutMs     int64
	UnmonMs   int64
	HasGood   bool
	LastGood  sensor.Instant
	High, Low excursion
	Alarms    []alarm
	Courses   []coursePack
	Watch     watch
	Tally     tally
	Spares    []spare
	Lender    string
	Stable    sensor.Instant
	Trail     trailPoint
	Rise      trailPoint
	RiseEvery int64
	Habits    [2]habit
}

type coursePack struct {
	DeltaH float64
	Keep   int64
	Base   kineticSum // of the oldest point
	At     []int64    // the first whole, the others as differences
	Temp   []int32    // likewise; standing is in Stands
	Stands []bool
}

type batchPoint struct {
	Batch   batch
	Profile int // of Profiles
	Unit    string
}

// Hash tells configs that judge differently apart.
func (c Config) Hash() uint64 {
	h := fnv.New64a()
	// Config holds nothing that cannot be encoded.
	_ = json.NewEncoder(h).Encode(c)
	return h.Sum64()
}

// Checkpoint writes all that the evaluator knows, with everything closed.
func (e *Evaluator) Checkpoint(cfg Config) ([]byte, error) {
	if !e.closed {
		return nil, fmt.Errorf("write checkpoint: the instant %s is still open", e.now)
	}
	e.shed()
	c := checkpoint{Version: checkpointVersion, Config: cfg.Hash(), Now: e.now, Plans: e.plans, Backups: e.backups, Recalls: e.recalls}
	for _, u := range e.units {
		if u.gone {
			c.Retired = append(c.Retired, u.cfg)
		}
		if u.logger {
			c.Loggers = append(c.Loggers, u.cfg)
		}
		u.handExtremes()
		p := unitPoint{ID: u.cfg.ID, Since: u.since, Entered: u.Entered, Unmon: u.Unmonitored, UnmonAt: u.UnmonAt, OutMs: u.OutMs, UnmonMs: u.UnmonMs,
			HasGood: u.HasGood, LastGood: u.LastGood, High: *u.high, Low: *u.low, Watch: u.watch, Tally: u.tally, Lender: u.lender,
			Stable: u.Stable, Trail: u.trail.pack(), Rise: packSteps(u.rise.Steps, openStep{}), RiseEvery: u.rise.Every, Habits: u.habits}
		for _, x := range u.spares {
			p.Spares = append(p.Spares, *x)
		}
		for _, a := range u.alarms {
			p.Alarms = append(p.Alarms, *a)
		}
		for _, x := range u.courses {
			p.Courses = append(p.Courses, x.pack())
		}
		c.Units = append(c.Units, p)
	}
	for _, p := range e.places {
		c.Places = append(c.Places, *p)
	}
	seen := map[*Profile]int{}
	for _, b := range e.batches {
		i, ok := seen[b.profile]
		if !ok {
			i = len(c.Profiles)
			seen[b.profile] = i
			c.Profiles = append(c.Profiles, *b.profile)
		}
		c.Batches = append(c.Batches, batchPoint{Batch: *b, Profile: i, Unit: b.unitID()})
	}
	var buf bytes.Buffer
	z, err := flate.NewWriter(&buf, flate.DefaultCompression)
	if err != nil {
		return nil, fmt.Errorf("write checkpoint: %w", err)
	}
	if err := gob.NewEncoder(z).Encode(&c); err != nil {
		return nil, fmt.Errorf("write checkpoint: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("write checkpoint: %w", err)
	}
	return buf.Bytes(), nil
}

// Restore makes the evaluator that a checkpoint tells of, under the same
// config. An error means that the record must be judged from its beginning.
func Restore(cfg Config, data []byte) (*Evaluator, error) {
	var c checkpoint
	if err := gob.NewDecoder(io.LimitReader(flate.NewReader(bytes.NewReader(data)), 1<<30)).Decode(&c); err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	if c.Version != checkpointVersion || c.Config != cfg.Hash() {
		return nil, fmt.Errorf("read checkpoint: it is of another version or another config")
	}
	e := New(cfg, c.Now)
	e.now, e.closed = c.Now, true
	e.plans, e.recalls = c.Plans, c.Recalls
	for _, u := range c.Retired {
		e.addUnit(u, c.Now).gone = true
	}
	for _, u := range c.Loggers {
		e.enlist(u, c.Now).logger = true
	}
	e.backups = c.Backups
	for _, p := range c.Places {
		x := e.places[p.ID]
		if x == nil {
			x = &place{ID: p.ID}
			e.places[p.ID] = x
		}
		u, lo, hi, buffered := x.unit, x.lo, x.hi, x.buffered
		*x = p
		x.unit, x.lo, x.hi, x.buffered = u, lo, hi, buffered
	}
	for _, p := range c.Units {
		u := e.unitOf[p.ID]
		if u == nil || len(p.Alarms) != len(u.alarms) {
			return nil, fmt.Errorf("read checkpoint: its unit %s is not the config's", p.ID)
		}
		u.restore(p)
		if err := u.restoreWatch(p.Watch); err != nil {
			return nil, err
		}
	}
	for _, p := range c.Batches {
		b := p.Batch
		if p.Profile < 0 || p.Profile >= len(c.Profiles) {
			return nil, fmt.Errorf("read checkpoint: batch %s has no profile", b.id())
		}
		b.profile = &c.Profiles[p.Profile]
		b.wire()
		b.seat = len(e.batches)
		e.batches = append(e.batches, &b)
		e.batchOf[b.id()] = &b
		if err := b.rejoin(e, p.Unit); err != nil {
			return nil, err
		}
	}
	for _, u := range e.units {
		for _, x := range u.lines {
			x.open, x.beyond = u.stand(x.lineKey)
		}
		u.bound()
		u.reckon()
	}
	e.stale = true
	return e, nil
}

func (u *unit) restore(p unitPoint) {
	u.since, u.Entered, u.Unmonitored, u.UnmonAt = p.Since, p.Entered, p.Unmon, p.UnmonAt
	u.OutMs, u.UnmonMs, u.HasGood, u.LastGood, u.tally = p.OutMs, p.UnmonMs, p.HasGood, p.LastGood, p.Tally
	u.Stable, u.habits = p.Stable, p.Habits
	u.trail = trail{Steps: p.Trail.steps(), Open: p.Trail.Open}
	u.rise = rise{Steps: p.Rise.steps(), Every: p.RiseEvery}
	for _, x := range [2]struct {
		to   *excursion
		from excursion
	}{{u.high, p.High}, {u.low, p.Low}} {
		kind, line := x.to.kind, x.to.line
		*x.to = x.from
		x.to.kind, x.to.line = kind, line
	}
	for i, a := range p.Alarms {
		rule, line := u.alarms[i].rule, u.alarms[i].line
		*u.alarms[i] = a
		u.alarms[i].rule, u.alarms[i].line = rule, line
		u.silent = u.silent || a.Raised && rule.NoData > 0
	}
	u.lender = p.Lender
	for _, x := range p.Spares {
		u.spares = append(u.spares, &x)
	}
	for _, c := range p.Courses {
		u.courses = append(u.courses, c.unpack())
	}
	u.changed = !u.Entered
	u.expiry = never
	for _, x := range u.places[:u.judging] {
		if x.Stands {
			u.expiry = min(u.expiry, x.Until)
		}
	}
	if !u.Entered {
		u.expiry = u.since
	}
}

// rejoin ties a restored batch to its unit and courses, as it was.
func (b *batch) rejoin(e *Evaluator, unit string) error {
	for i := range b.Stays {
		s := &b.Stays[i]
		if s.Unit == "" {
			s.weight = kineticWeight(b.profile.Outside.As.Celsius(), b.profile.DeltaH)
			continue
		}
		u := e.unitOf[s.Unit]
		if u == nil {
			return fmt.Errorf("read checkpoint: batch %s was in unit %s, which the config lacks", b.id(), s.Unit)
		}
		s.course = u.courseFor(b.profile, e.now)
	}
	if b.Where == stored {
		u := e.unitOf[unit]
		if u == nil {
			return fmt.Errorf("read checkpoint: batch %s is in unit %s, which the config lacks", b.id(), unit)
		}
		b.unit = u
		u.batches = append(u.batches, b)
		b.askUnit()
	}
	b.reckon()
	return nil
}

func (c *course) pack() coursePack {
	p := coursePack{DeltaH: c.DeltaH, Keep: c.Keep}
	var at int64
	var temp int32
	for i, x := range c.Points {
		if i == 0 {
			p.Base = x.sum
		}
		p.At = append(p.At, int64(x.At)-at)
		p.Temp = append(p.Temp, int32(x.Temp)-temp)
		p.Stands = append(p.Stands, x.Stands)
		at, temp = int64(x.At), int32(x.Temp)
	}
	return p
}

func (p coursePack) unpack() *course {
	c := &course{DeltaH: p.DeltaH, Keep: p.Keep}
	var at int64
	var temp int32
	for i := range min(len(p.At), len(p.Temp), len(p.Stands)) {
		at, temp = at+p.At[i], temp+p.Temp[i]
		x := coursePoint{At: sensor.Instant(at), Stands: p.Stands[i], Temp: sensor.Temp(temp), sum: p.Base}
		if i > 0 {
			x.sum = c.upTo(x.At)
		}
		if x.Stands {
			x.weight = kineticWeight(x.Temp.Celsius(), c.DeltaH)
		}
		c.Points = append(c.Points, x)
	}
	return c
}
