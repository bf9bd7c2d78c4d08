package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// causeReadings are the most that are looked through for what a probe said
// during an excursion that goes on.
const causeReadings = 100_000

// recall tells what became of a lot: where its batches are, and which vials of
// it were used for which treatment. It answers also for a lot that was never
// recalled.
func (s *Server) recall(w http.ResponseWriter, r *http.Request) {
	snap := s.m.Snapshot()
	recalls, err := s.m.EventsOf(r.Context(), coldchain.LotRecalled)
	if err != nil {
		fail(w, http.StatusInternalServerError, "internal", err.Error())
		return
	}
	lot := r.PathValue("lot")
	x := coldchain.TraceLot(lot, snap.Batches, recalls)
	if len(x.Batches) == 0 && len(x.Recalls) == 0 {
		fail(w, http.StatusNotFound, "not_found", fmt.Sprintf("no batch of lot %q is known here, and it was not recalled", lot))
		return
	}
	answer(w, struct {
		Record string         `json:"record"`
		At     sensor.Instant `json:"at"`
		coldchain.LotTrace
	}{snap.Record, snap.At, x})
}

// like tells which batches were quarantined by the same cause as one, with the
// readings around it.
func (s *Server) like(w http.ResponseWriter, r *http.Request) {
	snap := s.m.Snapshot()
	events, err := s.m.EventsOf(r.Context(), coldchain.Stretches...)
	if err != nil {
		fail(w, http.StatusInternalServerError, "internal", err.Error())
		return
	}
	x, err := snap.Likes(r.PathValue("id"), events)
	var no *coldchain.Refusal
	if errors.As(err, &no) {
		fail(w, statuses[no.Code], no.Code, no.Message)
		return
	}
	for i := range x.Causes {
		if err := s.evidence(r.Context(), snap, &x.Causes[i]); err != nil {
			fail(w, http.StatusInternalServerError, "internal", err.Error())
			return
		}
	}
	answer(w, struct {
		Record string         `json:"record"`
		At     sensor.Instant `json:"at"`
		coldchain.Likes
	}{snap.Record, snap.At, x})
}

// evidence looks up what the unit's judging probes said on both sides of a
// gap, or how far they went in an excursion that goes on.
func (s *Server) evidence(ctx context.Context, snap *coldchain.Snapshot, c *coldchain.Cause) error {
	u := unitOf(snap, c.Unit)
	if u == nil || c.Kind != "gap" && c.Kind != "high" && c.Kind != "low" || c.MinC != nil {
		return nil
	}
	around := 2*u.MaxGap + time.Minute
	for _, p := range u.Probes {
		if !p.Judges {
			continue
		}
		if c.Kind != "gap" {
			list, err := s.m.Readings(ctx, p.ID, c.Start, snap.At+1, causeReadings)
			if err != nil {
				return fmt.Errorf("read what %s said: %w", p.ID, err)
			}
			for _, r := range list {
				if t := r.Temp; r.Good() && !r.Check {
					if c.MinC == nil || t < *c.MinC {
						c.MinC = &t
					}
					if c.MaxC == nil || t > *c.MaxC {
						c.MaxC = &t
					}
				}
			}
			continue
		}
		list, err := s.m.Readings(ctx, p.ID, c.Start.Add(-around), c.Start+1, causeReadings)
		if err != nil {
			return fmt.Errorf("read what %s said before: %w", p.ID, err)
		}
		for _, r := range list {
			if r.Good() && !r.Check && (c.Before == nil || r.Time > c.Before.Time) {
				c.Before = &coldchain.LikeReading{Probe: p.ID, Time: r.Time, Temp: r.Temp}
			}
		}
		if c.End == nil {
			continue
		}
		list, err = s.m.Readings(ctx, p.ID, *c.End, c.End.Add(around), causeReadings)
		if err != nil {
			return fmt.Errorf("read what %s said after: %w", p.ID, err)
		}
		for _, r := range list {
			if r.Good() && !r.Check && (c.After == nil || r.Time < c.After.Time) {
				c.After = &coldchain.LikeReading{Probe: p.ID, Time: r.Time, Temp: r.Temp}
			}
		}
	}
	return nil
}

// ofOneCause are the events of a decision about several batches, of which ev is
// the first: they follow one another.
func (s *Server) ofOneCause(ctx context.Context, ev coldchain.Event) ([]coldchain.Event, error) {
	list := []coldchain.Event{ev.Public()}
	if ev.Cause == "" {
		return list, nil
	}
	after, err := s.m.Events(ctx, ev.Seq, limitDefault)
	if err != nil {
		return nil, err
	}
	for _, e := range after {
		if e.Cause != ev.Cause {
			break
		}
		list = append(list, e.Public())
	}
	return list, nil
}
