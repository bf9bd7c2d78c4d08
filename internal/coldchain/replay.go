package coldchain

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"coldkeep/sensor"
)

// A Life is a batch as a recording tells it: where it was from when to when.
type Life struct {
	ID         string
	Profile    string
	Lot        string
	Vials      int
	Expiry     string         // YYYY-MM-DD
	ExpiresAt  sensor.Instant // the end of that day at the site; 0: it has none
	GTIN       string         // of its supplier's code, 14 digits; "" where none was scanned
	Serial     string
	Placements []Placement
	Ended      *sensor.Instant // where life goes on after the last To
	// Before is what it had been through before its record.
	Before []Spent
	// OpenedAt is when it was opened or mixed; 0: it is not.
	OpenedAt sensor.Instant
	// UseByAt is the end of the last day that a signer allows; 0: none.
	UseByAt   sensor.Instant
	UseBy     string // that day, YYYY-MM-DD
	FromBatch string
	Arrival   *Arrival
	Origin    *Origin
	OriginAt  sensor.Instant // when all of Origin was told; 0: at receipt
	Papers    []Paper
	// Dispositions are what people have decided of it, in order of time.
	Dispositions []Disposition
}

// A Disposition is a person's decision on a quarantined batch.
type Disposition struct {
	At      sensor.Instant
	Discard bool     // else it is released
	Rules   []string // the reasons that a release answers; nil: all that hold then
	By      string
	Reason  string
	// Allow is what a release allows anew of rules that it answers: a sum that
	// was spent breaks again when that much more has been used.
	Allow []Spent
	// UseByAt is the end of the last day that a release allows, UseBy; 0: none.
	UseByAt sensor.Instant
	UseBy   string
}

// A Result is what a replay finds. Lists are in order of time.
type Result struct {
	Excursions []Excursion
	Alarms     []Alarm
	// ProbeAlarms are those about probes, probe_lost and probes_disagree, which
	// are not among Alarms.
	ProbeAlarms []Alarm
	Gaps        []Gap
	Batches     []BatchState
	Good        int
	Faults      int
	Conflicts   int
}

// A Replayer judges a recording: everything known first, nothing latched.
type Replayer struct {
	e     *Evaluator
	until sensor.Instant
	lives []Life
	begun bool
	cfg   Config
	last  sensor.Instant
}

// NewReplayer prepares a replay up to until; 0 stands for the last reading.
func NewReplayer(cfg Config, lives []Life, until sensor.Instant) *Replayer {
	return &Replayer{cfg: cfg, lives: lives, until: until}
}

// begin starts judging at the first reading, or earlier where a life begins earlier.
func (r *Replayer) begin(first sensor.Instant) error {
	r.begun = true
	e := New(r.cfg, first)
	e.keep, e.silent = true, true
	for _, l := range r.lives {
		for _, p := range l.Placements {
			e.now = min(e.now, p.From-1)
		}
	}
	r.e = e
	for _, l := range r.lives {
		if err := e.AddLife(l); err != nil {
			return err
		}
	}
	return nil
}

// Observe takes the next reading, in order of time. It tells false for one
// after the end, which is not judged.
func (r *Replayer) Observe(x sensor.Reading) (bool, error) {
	if r.until != 0 && x.Time > r.until {
		return false, nil
	}
	if !r.begun {
		if err := r.begin(x.Time); err != nil {
			return false, err
		}
	}
	if r.e.Observe(x) == Late {
		return false, fmt.Errorf("observe reading of %s at %s: it comes after a later one", x.Probe, x.Time)
	}
	r.last = x.Time
	return true, nil
}

// Finish ends the replay and tells what was found.
func (r *Replayer) Finish() (Result, error) {
	end := r.until
	if end == 0 {
		end = r.last
	}
	if !r.begun {
		if end == 0 {
			for _, l := range r.lives {
				for _, p := range l.Placements {
					end = max(end, p.From)
				}
			}
		}
		if err := r.begin(end); err != nil {
			return Result{}, err
		}
	}
	found := r.e.Finish(end)
	return found, errors.Join(r.e.idle...)
}

// Replay judges readings in any order.
func Replay(cfg Config, lives []Life, readings []sensor.Reading, until sensor.Instant) (Result, error) {
	sorted := slices.Clone(readings)
	slices.SortStableFunc(sorted, func(a, b sensor.Reading) int { return cmp.Compare(a.Time, b.Time) })
	r := NewReplayer(cfg, lives, until)
	for _, x := range sorted {
		if _, err := r.Observe(x); err != nil {
			return Result{}, err
		}
	}
	return r.Finish()
}

// AddLife plans a whole life at once. None of it may be in the past.
func (e *Evaluator) AddLife(l Life) error {
	p := e.profiles[l.Profile]
	if p == nil {
		return fmt.Errorf("add batch %s: no profile %q", l.ID, l.Profile)
	}
	if len(l.Placements) == 0 {
		return fmt.Errorf("add batch %s: no placements", l.ID)
	}
	if err := p.checkSpent(l.Before); err != nil {
		return fmt.Errorf("add batch %s: %w", l.ID, err)
	}
	b := e.addBatch(l, p, l.Placements[0].From)
	e.plans = slices.Grow(e.plans, 2*len(l.Placements)+len(l.Dispositions)+1)
	for i, x := range l.Placements {
		if e.unitOf[x.Unit] == nil {
			return fmt.Errorf("add batch %s: no unit %q", l.ID, x.Unit)
		}
		e.plan(plan{At: x.From, Phase: phaseBegin, Batch: b.id(), Unit: x.Unit})
		if x.To == nil {
			continue
		}
		e.plan(plan{At: *x.To, Phase: phaseEnd, Batch: b.id()})
		if i == len(l.Placements)-1 {
			over := *x.To
			if l.Ended != nil {
				over = max(over, *l.Ended)
			}
			e.plan(plan{At: over, Phase: phaseOver, Batch: b.id()})
		}
	}
	if l.OpenedAt != 0 {
		e.plan(plan{At: l.OpenedAt, Phase: phaseOpen, Batch: b.id()})
	}
	for _, d := range l.Dispositions {
		if d.Discard {
			e.plan(plan{At: d.At, Phase: phaseFinish, Batch: b.id(), End: Discarded})
			continue
		}
		e.plan(plan{At: d.At, Phase: phaseRelease, Batch: b.id(), Rules: d.Rules, Allow: d.Allow, UseByAt: d.UseByAt, UseBy: d.UseBy})
	}
	return nil
}

func (e *Evaluator) addBatch(l Life, p *Profile, received sensor.Instant) *batch {
	b := newBatch(l, p, received)
	b.seat = len(e.batches)
	e.batches = append(e.batches, b)
	e.batchOf[l.ID] = b
	e.stale = true
	return b
}

// Finish closes everything up to end, where all that stands stops, and tells
// what was found.
func (e *Evaluator) Finish(end sensor.Instant) Result {
	e.Tick(end)
	for _, b := range e.batches {
		if b.Where == stored { // what stands stops; outside nothing stands
			b.judgeKinetic(e, end)
		}
	}
	r := Result{Excursions: e.excursions, Alarms: e.alarms, ProbeAlarms: e.ofProbes, Gaps: e.gaps,
		Good: e.counts.good, Faults: e.counts.faults, Conflicts: e.counts.conflicts}
	for _, u := range e.units {
		for _, x := range []*excursion{u.high, u.low} {
			if x.Open {
				r.Excursions = append(r.Excursions, x.result(u, end))
			}
		}
		for _, a := range u.alarms {
			if a.Raised {
				r.Alarms = append(r.Alarms, a.open(u))
			}
		}
		r.ProbeAlarms = append(r.ProbeAlarms, u.openProbeAlarms()...)
		if u.Entered && u.Unmonitored && u.UnmonAt < end {
			r.Gaps = append(r.Gaps, Gap{Unit: u.cfg.ID, Start: u.UnmonAt, DurationS: seconds(int64(end - u.UnmonAt))})
		}
	}
	order := func(id string) int { return e.unitOf[id].order }
	slices.SortStableFunc(r.Excursions, func(a, b Excursion) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(order(a.Unit), order(b.Unit)), cmp.Compare(a.Kind, b.Kind))
	})
	for _, list := range [][]Alarm{r.Alarms, r.ProbeAlarms} {
		slices.SortStableFunc(list, func(a, b Alarm) int {
			return cmp.Or(cmp.Compare(a.Raised, b.Raised), cmp.Compare(order(a.Unit), order(b.Unit)))
		})
	}
	slices.SortStableFunc(r.Gaps, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(order(a.Unit), order(b.Unit)))
	})
	for _, b := range e.batches {
		r.Batches = append(r.Batches, b.state(end))
	}
	return r
}

func (a *alarm) open(u *unit) Alarm {
	return Alarm{Unit: u.cfg.ID, Rule: a.rule.ID, Severity: a.rule.Severity, Raised: a.RaisedAt, Text: a.rule.Text()}
}
