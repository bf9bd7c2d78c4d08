package coldchain

// Public is the event as it may leave the machine: without what proves an
// answer to be a person's. Addresses are not in the journal at all.
func (e Event) Public() Event {
	if e.Call != nil {
		c := *e.Call
		c.Receipt = ""
		e.Call = &c
	}
	return e
}
