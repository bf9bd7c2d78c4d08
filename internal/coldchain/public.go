package coldchain

// Public is the event as it may leave the machine: without the addresses of
// people and what proves an answer to be theirs. Whoever knows the topic of an
// ntfy channel could read along and answer. Journal and record keep them.
func (e Event) Public() Event {
	if e.Call != nil {
		c := *e.Call
		c.To, c.Receipt = "", ""
		e.Call = &c
	}
	return e
}
