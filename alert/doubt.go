package alert

// Doubt marks the messages on their way as such that may have arrived: to be
// called after a start, when nobody knows what became of them. The words say
// so, too: most channels show a person nothing else.
func (d *Desk) Doubt() {
	for _, n := range d.s.Notes {
		if n.Done || n.Again {
			continue
		}
		n.Again = true
		again := " " + d.words.For(n.Language).say("body.again", nil)
		// A message that is as long as can be ends a little earlier.
		n.Body = Cut(n.Body, messageMost-runes(n.Title)-1-runes(again)) + again
	}
}
