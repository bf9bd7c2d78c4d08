package alert

import "time"

// A Telling is all that one message may say, before a Catalogue puts it into
// words. The Desk makes it; what is not known is left zero and not told.
type Telling struct {
	Purpose Purpose
	Now     time.Time
	Lines   []Line // one for each unit or condition, the gravest first; of AllClear: what is over
	Again   bool   // it may have arrived before

	// Why a page comes again although somebody had taken it.
	Lapse   Lapse
	Who     string    // by name: who had taken it, or (Taken) has
	Until   time.Time // what Who promised
	Shelved bool      // of Taken: nobody goes, Who has put it off until Until

	Called []Call // who has been called, in order
	Next   *Call  // who is called next, and when; nil: nobody
	Status []Unit // of Status: all units
	// More troubles than could be told of one by one, folded into this message.
	Folded int
	// Minutes from a drill's page to its answer; of Tested.
	Took   time.Duration
	Within time.Duration // of Test: the time to answer
}

// A Call is a person called, or to be called, at an instant.
type Call struct {
	Name string
	At   time.Time
}

// A Lapse is why an acknowledgement is one no more.
type Lapse string

const (
	PromisePassed Lapse = "promise_passed" // and it does not turn
	Worsened      Lapse = "worsened"
	AboutToBeLost Lapse = "about_to_be_lost"
	ShelfEnded    Lapse = "shelf_ended"
	GivenBack     Lapse = "given_back" // whoever had it cannot go after all
)

// A Line is one trouble as a message tells of it.
type Line struct {
	Kind     Kind
	Severity Severity
	Unit     *Unit  // as it stands now; nil where it is of none
	Text     string // the rule in words
	Batch    string
	Channel  string
	Since    time.Time
	Ended    time.Time // of AllClear
}

// Blocked counts the vials of the unit that a person must decide on.
func (l *Line) Blocked() (n int) {
	if l.Unit == nil {
		return 0
	}
	for _, b := range l.Unit.Batches {
		if b.Lost {
			n += b.Vials
		}
	}
	return n
}

// First is the batch that is lost first, of those that are not lost yet; nil
// where nothing is known of it.
func (l *Line) First() *Batch {
	if l.Unit == nil {
		return nil
	}
	var first *Batch
	for i := range l.Unit.Batches {
		if b := &l.Unit.Batches[i]; !b.Lost && !b.LostAt.IsZero() && (first == nil || b.LostAt.Before(first.LostAt)) {
			first = b
		}
	}
	return first
}
