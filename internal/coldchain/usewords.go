package coldchain

import (
	"slices"
	"strings"

	"coldkeep/sensor"
)

// goodWords are of a batch of which the record says nothing bad, and which is
// well now. What else must be, is asked here.
func (b *BatchState) goodWords(r Reader) Words {
	stored := "In " + b.Profile.RangeText() + " since it came on " + r.Day(b.Since) + "."
	w := Words{"STORAGE RECORD OK", "Check lot, expiry date and vial, then decide.", stored, "ok"}
	if b.Verdict == Released {
		w = Words{"RELEASED", "A manager allowed its use on " + r.Clock(b.Since) + "." + b.lastDay(r), b.spent(), "ok"}
	}
	switch {
	case b.overBy(r.Now) != 0:
		// The loop has not come to it yet: the reader's clock has.
		return b.expiredWords(r)
	case len(b.Missing) > 0:
		return Words{"WAIT: PAPERS MISSING", "Do not use yet. Ask " + r.ask() + ".", sentences(b.missingWhy(), w.Why, b.openWhy(r)), "wait"}
	case b.OpenedAt == nil:
		return w
	case b.Profile.InUse == 0:
		return Words{"ASK FIRST", upper(r.ask()) + ".", sentences(b.openWhy(r), w.Why), "ask"}
	}
	why := w.Why
	if b.Verdict == Released {
		why = sentences(w.Do, w.Why)
	}
	return Words{"USE BY " + strings.ToUpper(r.by(*b.openUntil())), "Mixed " + r.When(*b.OpenedAt) + "; the label says " + Span(b.Profile.InUse.Seconds()) + ".", why, "ok"}
}

// lastDay is a sentence about the last day that the signer of a release has
// set; "" where there is none.
func (b *BatchState) lastDay(r Reader) string {
	if b.SignedUseByAt == 0 {
		return ""
	}
	return " Use by " + r.Day(b.SignedUseByAt-1) + "."
}

// inUseEnd is the end of the time that the label gives once it is opened; 0
// where it is not, or the label gives none.
func (b *BatchState) inUseEnd() sensor.Instant {
	if b.OpenedAt == nil || b.Profile.InUse == 0 {
		return 0
	}
	return b.OpenedAt.Add(b.Profile.InUse)
}

// openUntil is until when it may be used as it is opened: the end of its time
// in use, or of what a signer has set; what comes first. nil where neither is.
func (b *BatchState) openUntil() *sensor.Instant {
	end := b.inUseEnd()
	if end == 0 || b.SignedUseByAt != 0 && b.SignedUseByAt < end {
		end = b.SignedUseByAt
	}
	if end == 0 {
		return nil
	}
	return &end
}

// overBy is the first of its ends that lies behind t: of its time in use, of
// what a signer has set, of its last day; 0 where none does.
func (b *BatchState) overBy(t sensor.Instant) (first sensor.Instant) {
	for _, end := range []sensor.Instant{b.ExpiresAt, b.inUseEnd(), b.SignedUseByAt} {
		if end != 0 && end <= t && (first == 0 || end < first) {
			first = end
		}
	}
	return first
}

// expiredWords say which of its ends came first.
func (b *BatchState) expiredWords(r Reader) Words {
	w := Words{"DO NOT USE: EXPIRED", "Ask " + r.ask() + ".", "Last day was " + b.Expiry + ".", "stop"}
	switch end := b.overBy(max(r.Now, b.Since)); {
	case end == 0 || end == b.ExpiresAt:
	case end == b.inUseEnd():
		w.Headline, w.Why = "DO NOT USE: OPEN TOO LONG", "Mixed "+r.When(*b.OpenedAt)+", limit "+Span(b.Profile.InUse.Seconds())+", ended "+r.When(end)+"."
	default:
		w.Why = "A manager allowed its use until " + r.Day(end-1) + "."
	}
	return w
}

// openWhy says that it was opened, and until when it may be used; "" where it
// was not.
func (b *BatchState) openWhy(r Reader) string {
	switch until := b.openUntil(); {
	case b.OpenedAt == nil:
		return ""
	case b.Profile.InUse == 0:
		return "Mixed " + r.When(*b.OpenedAt) + "; the label entered does not say for how long it may be used then."
	case *until <= r.Now:
		return "Mixed " + r.When(*b.OpenedAt) + "; its time ended " + r.When(*until) + "."
	default:
		return "Mixed " + r.When(*b.OpenedAt) + "; use by " + r.by(*until) + "."
	}
}

// missingWhy names the papers that are missing; "" where none is.
func (b *BatchState) missingWhy() string {
	if len(b.Missing) == 0 {
		return ""
	}
	return "Papers are missing: " + b.MissingText() + "."
}

// sentences joins those that say something.
func sentences(list ...string) string {
	return strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), " ")
}
