package coldchain

import (
	"slices"
	"strings"
	"unicode"

	"coldkeep/sensor"
)

// What a signature under a decision means.
const (
	DecideRelease = "release"
	DecideDiscard = "discard"
)

// A Signed is a decision on a batch as it was signed: by whom, when, and what
// the signature means (21 CFR 11.50).
type Signed struct {
	Decision   string         `json:"decision"`           // release, discard
	Proposed   bool           `json:"proposed,omitempty"` // the first of two signatures: it decides nothing by itself
	By         string         `json:"by"`
	At         sensor.Instant `json:"at"`
	ProposedBy string         `json:"proposed_by,omitempty"`
	Reason     string         `json:"reason"`
	Rules      []string       `json:"rules,omitempty"`
	MakerRef   string         `json:"maker_ref,omitempty"`
	UseBy      string         `json:"use_by,omitempty"`
	UseByAt    sensor.Instant `json:"-"` // the end of that day at the site
	Allow      []Spent        `json:"allow,omitempty"`
}

// Meaning says what was meant by signing.
func (s *Signed) Meaning() string {
	what := "may be used"
	if s.Decision == DecideDiscard {
		what = "is discarded"
	}
	switch {
	case s.Proposed:
		return "proposes that it " + what
	case s.ProposedBy != "":
		return "approves, as " + s.ProposedBy + " proposed, that it " + what
	}
	return "decides that it " + what
}

// decided puts into an event what every decision carries.
func decided(ev Event, c Command, decision string) Event {
	ev.Decision, ev.MakerRef = decision, strings.TrimSpace(c.MakerRef)
	return ev
}

func (e *Evaluator) orderRelease(ev Event, c Command, b *batch) (Event, error) {
	if strings.TrimSpace(c.Reason) == "" {
		return ev, refuse("bad_request", "why may batch %s be used? give --reason TEXT", b.id())
	}
	if c.Count != 0 {
		return ev, refuse("bad_request", "a release is of all of a batch: split those off that are meant, with `coldkeep batch split %s --vials %d`", b.id(), c.Count)
	}
	rules, err := b.answered(c.Rules)
	if err != nil {
		return ev, err
	}
	if err := b.profile.checkSpent(c.Spent); err != nil {
		return ev, err
	}
	for _, x := range c.Spent {
		if !slices.Contains(rules, x.Rule) {
			return ev, refuse("bad_request", "batch %s: %s is not among what this release answers (%s): nothing can be allowed anew of it", b.id(), x.Rule, strings.Join(rules, ", "))
		}
	}
	if c.UseBy != "" && c.UseByAt <= c.At {
		return ev, refuse("bad_request", "use by %s: that day is over", c.UseBy)
	}
	ev = decided(ev, c, DecideRelease)
	ev.Kind, ev.Rules, ev.Spent, ev.UseBy, ev.UseByAt = BatchReleased, rules, c.Spent, c.UseBy, c.UseByAt
	return b.proposed(ev, c)
}

// orderDiscard is of vials that are thrown away. Where the label asks for two
// signatures, a quarantined batch is decided on like a release.
func (e *Evaluator) orderDiscard(ev Event, c Command, b *batch) (Event, error) {
	if strings.TrimSpace(c.Reason) == "" {
		return ev, refuse("bad_request", "why is batch %s discarded? give --reason TEXT", b.id())
	}
	if c.UseBy != "" || len(c.Spent) > 0 || len(c.Rules) > 0 {
		return ev, refuse("bad_request", "rules, a last day and what is allowed anew belong to a release: leave them out where batch %s is discarded", b.id())
	}
	ev, err := b.gives(decided(ev, c, DecideDiscard), c, VialsDiscarded, BatchDiscarded)
	if err != nil {
		return ev, err
	}
	if !b.quarantined() && c.Name != "propose-discard" {
		return ev, nil
	}
	if ev.Kind == VialsDiscarded && (b.profile.Signatures > 1 || c.Name == "propose-discard") {
		return ev, refuse("conflict", "batch %s is decided on whole, by two people: split those off that are meant, with `coldkeep batch split %s --vials %d`", b.id(), b.id(), c.Count)
	}
	return b.proposed(ev, c)
}

// proposed makes a decision the first of two signatures where two are needed.
func (b *batch) proposed(ev Event, c Command) (Event, error) {
	if b.profile.Signatures < 2 && !strings.HasPrefix(c.Name, "propose-") {
		return ev, nil
	}
	if p := b.Proposal; p != nil && p.Decision == ev.Decision && !samePerson(p.By, c.By) {
		return ev, refuse("conflict", "%s has proposed to %s batch %s, at %s, and that waits for a second signature: approve it, with `coldkeep batch approve %s`", p.By, p.Decision, b.id(), p.At, b.id())
	}
	ev.Kind, ev.Vials, ev.Count, ev.FromUnit = DecisionProposed, b.Life.Vials, 0, ""
	return ev, nil
}

func (e *Evaluator) orderApprove(ev Event, c Command, b *batch) (Event, error) {
	p := b.Proposal
	switch {
	case p == nil:
		return ev, refuse("conflict", "no decision on batch %s waits for a second signature; one that was proposed before the newest reason came is void: propose it anew, with release or discard", b.id())
	case samePerson(p.By, c.By):
		return ev, refuse("conflict", "%s proposed to %s batch %s: another person must approve it", p.By, p.Decision, b.id())
	case c.At < p.At:
		return ev, refuse("conflict", "what is approved of batch %s was proposed at %s: it cannot have been approved before", b.id(), p.At)
	case len(c.Rules) > 0 || len(c.Spent) > 0 || c.UseBy != "" || c.MakerRef != "" || c.Count != 0:
		return ev, refuse("bad_request", "what is approved of batch %s is what %s proposed, word for word: propose something else with release or discard", b.id(), p.By)
	}
	own := c.Reason
	c.Reason, c.MakerRef, c.UseBy, c.UseByAt, c.Spent = p.Reason, p.MakerRef, p.UseBy, p.UseByAt, p.Allow
	ev.Reason = p.Reason
	if strings.TrimSpace(own) != "" {
		ev.Reason += "; approved: " + own
	}
	ev = decided(ev, c, p.Decision)
	ev.ProposedBy = p.By
	if p.Decision == DecideDiscard {
		return b.gives(ev, c, VialsDiscarded, BatchDiscarded)
	}
	rules, err := b.answered(p.Rules)
	if err != nil {
		return ev, err
	}
	if c.UseBy != "" && c.UseByAt <= c.At {
		return ev, refuse("conflict", "%s proposed that batch %s may be used by %s: that day is over; decide anew, with release or discard", p.By, b.id(), c.UseBy)
	}
	ev.Kind, ev.Rules, ev.Spent, ev.UseBy, ev.UseByAt = BatchReleased, rules, c.Spent, c.UseBy, c.UseByAt
	return ev, nil
}

// samePerson compares printed names without case and spaces.
func samePerson(a, b string) bool {
	plain := func(s string) string {
		return strings.ToLower(strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return -1
			}
			return r
		}, s))
	}
	return plain(a) == plain(b)
}

// sign notes a decision, or the first signature under one.
func (b *batch) sign(ev Event) {
	switch {
	case ev.Kind == BatchUsed:
		return
	case ev.Decision == "" && ev.Kind == BatchReleased: // written before the record told it
		ev.Decision = DecideRelease
	case ev.Decision == "":
		ev.Decision = DecideDiscard
	}
	b.Decisions = append(b.Decisions, Signed{Decision: ev.Decision, Proposed: ev.Kind == DecisionProposed, By: ev.By, At: ev.Time, ProposedBy: ev.ProposedBy, Reason: ev.Reason,
		Rules: ev.Rules, MakerRef: ev.MakerRef, UseBy: ev.UseBy, UseByAt: ev.UseByAt, Allow: ev.Spent})
}

func proposalOf(ev Event) *Proposal {
	return &Proposal{Decision: ev.Decision, Rules: ev.Rules, By: ev.By, At: ev.Time, Reason: ev.Reason, MakerRef: ev.MakerRef, UseBy: ev.UseBy, UseByAt: ev.UseByAt, Allow: ev.Spent}
}

// Void lets a decision that waits for a second signature wait no longer: a
// reason has come that its proposer did not know.
func (e *Evaluator) Void(id string) {
	if b := e.find(id); b != nil {
		b.Proposal = nil
	}
}

// answered are the reasons that a release answers: those named, or all that
// hold. A *Refusal where there is nothing to answer.
func (b *batch) answered(rules []string) ([]string, error) {
	open := []string{}
	for _, r := range b.Reasons {
		if !r.Released && !slices.Contains(open, r.Rule) {
			open = append(open, r.Rule)
		}
	}
	if len(open) == 0 {
		return nil, refuse("conflict", "batch %s is not quarantined: there is nothing to release", b.id())
	}
	if len(rules) == 0 {
		return open, nil
	}
	for _, r := range rules {
		if !slices.Contains(open, r) {
			return nil, refuse("bad_request", "batch %s is not quarantined by %q: it is by %s", b.id(), r, strings.Join(open, ", "))
		}
	}
	return rules, nil
}

// Orders is Order for what may be about several batches (BatchIDs): each
// becomes an event of its own, and none does where one is refused. The first
// carries the command's id, and all of them name it as their common cause.
func (e *Evaluator) Orders(c Command) ([]Event, error) {
	ids, err := e.meant(c)
	if err != nil {
		return nil, err
	}
	if ids == nil {
		ev, err := e.Order(c)
		if err != nil {
			return nil, err
		}
		return []Event{ev}, nil
	}
	var list []Event
	var no []string
	code := ""
	for i, id := range ids {
		one := c
		one.Batch = id
		if i > 0 {
			one.ID = ""
		}
		ev, err := e.Order(one)
		if r, ok := err.(*Refusal); ok {
			no, code = append(no, r.Message), r.Code
			continue
		} else if err != nil {
			return nil, err
		}
		if len(ids) > 1 {
			ev.Cause = c.ID
		}
		list = append(list, ev)
	}
	switch {
	case len(no) == 0:
		return list, nil
	case len(ids) == 1:
		return nil, refuse(code, "%s", no[0])
	}
	return nil, refuse(code, "nothing was done: %s", strings.Join(no, "; "))
}

// severals are the commands that one signature may give for several batches.
var severals = []string{"release", "discard", "hold", "approve", "adopt", "propose-release", "propose-discard"}

// meant are the batches that a command of severals is about, each once; nil
// where the command is about the one that it names.
func (e *Evaluator) meant(c Command) ([]string, error) {
	if len(c.BatchIDs) == 0 && c.Name != "adopt" {
		return nil, nil
	}
	if !slices.Contains(severals, c.Name) {
		return nil, refuse("bad_request", "%s is about one batch: only %s may name several", c.Name, strings.Join(severals[:5], ", "))
	}
	var ids []string
	for _, id := range append([]string{c.Batch}, c.BatchIDs...) {
		if id == "" {
			continue
		}
		b := e.find(id)
		if b != nil {
			id = b.id()
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, refuse("bad_request", "which batch? name one or more")
	}
	if len(ids) > 1 && c.Count != 0 {
		return nil, refuse("bad_request", "a number of vials is of one batch, and %d are named", len(ids))
	}
	if c.Name == "adopt" {
		return e.families(ids)
	}
	return ids, nil
}
