package mqtt

import (
	"strings"
	"time"

	"coldkeep/internal/coldchain"
)

// topics makes names and payloads of one snapshot.
type topics struct {
	s     *coldchain.Snapshot
	base  string            // coldkeep/<site>/<node>
	units map[string]string // by probe
}

func topicsOf(s *coldchain.Snapshot) topics {
	t := topics{s: s, base: "coldkeep/" + s.Site.ID + "/" + s.Node, units: map[string]string{}}
	for i := range s.Units {
		for _, p := range s.Units[i].Probes {
			t.units[p.ID] = s.Units[i].ID
		}
	}
	return t
}

// A message is what is published on one topic; an empty payload, retained,
// clears it.
type message struct {
	topic   string
	payload []byte
}

func (t topics) status() string             { return t.base + "/status" }
func (t topics) command(name string) string { return t.base + "/command/" + name }
func (t topics) answer(id string) string    { return t.base + "/answer/" + id }
func (t topics) unit(id string) string      { return t.base + "/unit/" + id + "/state" }
func (t topics) unitAvailability(id string) string {
	return t.base + "/unit/" + id + "/availability"
}
func (t topics) unitAlarm(id string) string { return t.base + "/unit/" + id + "/alarm" }
func (t topics) probeAvailability(id string) string {
	return t.base + "/probe/" + id + "/availability"
}
func (t topics) batch(id string) string { return t.base + "/batch/" + id + "/state" }
func (t topics) peer(node string) string {
	return "coldkeep/" + t.s.Site.ID + "/" + node + "/status"
}

// kept are the topics, with wildcards, on which something of ours may be
// retained that is gone by now.
func (t topics) kept(o Options) []string {
	list := []string{t.unit("+"), t.unitAvailability("+"), t.probeAvailability("+"), t.batch("+")}
	if o.Discovery {
		list = append(list, discoveryTopic(o.DiscoveryPrefix, "+"))
	}
	return list
}

// ours says whether a topic heard under one of kept is this daemon's: below
// Home Assistant's prefix there are others'.
func (t topics) ours(topic string) bool {
	if strings.HasPrefix(topic, t.base+"/") {
		return true
	}
	level := strings.Split(topic, "/")
	return len(level) >= 2 && strings.HasPrefix(level[len(level)-2], t.device("")) // ids have no underscore
}

// wanted is everything that is retained now, but for the daemon's status.
func (t topics) wanted(o Options, now time.Time) (list []message) {
	// What a snapshot says of probes is true while it is young.
	fresh := o.Interval == 0 || now.Sub(t.s.Made.Time()) <= 3*o.Interval
	for i := range t.s.Units {
		u := &t.s.Units[i]
		list = append(list, message{t.unit(u.ID), t.unitState(u, fresh)}, message{t.unitAvailability(u.ID), available(fresh && probeUp(u))})
		for _, p := range u.Probes {
			list = append(list, message{t.probeAvailability(p.ID), available(fresh && p.Up)})
		}
		if o.Discovery {
			list = append(list, message{discoveryTopic(o.DiscoveryPrefix, t.device(u.ID)), t.discovery(u, o)})
		}
	}
	for i := range t.s.Batches {
		if b := &t.s.Batches[i]; b.Unit != "" {
			list = append(list, message{t.batch(b.ID), t.batchState(b)})
		}
	}
	return list
}

func available(yes bool) []byte {
	if yes {
		return []byte("online")
	}
	return []byte("offline")
}

// probeUp says whether a probe that judges the unit is up.
func probeUp(u *coldchain.UnitState) bool {
	for _, p := range u.Probes {
		if p.Judges && p.Up {
			return true
		}
	}
	return false
}
