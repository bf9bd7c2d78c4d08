// Package metrics tells Prometheus how things stand, as constant metrics made
// at each scrape from one snapshot: what is not known is not there, and no
// value outlives the probe that gave it.
//
// How many series there are is bounded by what the operator's file lists and
// by the batches in storage; nothing that a message, a person or a wire says
// becomes a label. A probe gives 25 (20 of them its faults), a unit 18 and one
// more while a batch of it is about to be lost, a batch 1 and one for each of
// its rules with an allowance, a contact 1 or 2 and
// a unit's doors 3; the rest is some
// 80, most of them the Go runtime's. 256 probes, each alone in its unit, and
// 2,000 batches with one such rule are 14,900 series, and 1 MB of text.
//
// Where the daemon stands (site, clinic) is no label of its metrics: that
// belongs to whoever scrapes it, see deploy/prometheus/prometheus.yml.
package metrics

import (
	"maps"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// Source is what is asked at each scrape.
type Source struct {
	Snapshot func() *coldchain.Snapshot
	Interval time.Duration // between sweeps
	Version  string
	// Connected, Backlog, Published and CatchingUp are of MQTT; nil where none
	// is configured.
	Connected  func() bool
	Backlog    func() uint64
	Published  func() uint64
	CatchingUp func() bool
	// Peers says of the site's other daemons whether they are online, and nil
	// while that cannot be known.
	Peers func() map[string]bool
	// HeartbeatFailing is nil where no heartbeat is configured.
	HeartbeatFailing func() bool
	// Disk gives the bytes of the record and those left for it, and false
	// where they cannot be known; nil where nobody asks.
	Disk func() (size, free uint64, known bool)
}

// Handler serves /metrics, with the Go runtime's and the process' own, as
// OpenMetrics for whoever asks for it.
func Handler(s Source) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(pair{NewCollector(s), r}, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// A Collector implements prometheus.Collector, and prometheus.Gatherer.
type Collector struct{ s Source }

// NewCollector makes one.
func NewCollector(s Source) *Collector { return &Collector{s} }

var (
	buildInfo = desc("build_info", "What runs here; always 1.", "version", "revision", "goversion")

	probeTemp  = desc("probe_temperature_celsius", "Newest temperature; there exactly while the probe is up.", "unit", "probe")
	probeUp    = desc("probe_up", "1 while the newest reading is good and no older than two intervals.", "unit", "probe")
	probeLast  = desc("probe_last_reading_timestamp_seconds", "When the probe was read last, also in vain.", "unit", "probe")
	probeReads = desc("probe_reads_total", "Readings since the daemon started, good or not.", "unit", "probe")
	probeFails = desc("probe_read_failures_total", "Readings that gave no temperature, since the daemon started.", "unit", "probe", "fault")
	probeDue   = desc("probe_calibration_due_timestamp_seconds", "When the probe is to be calibrated again.", "unit", "probe")

	unitLow  = desc("unit_range_low_celsius", "Lower end of the unit's range.", "unit")
	unitHigh = desc("unit_range_high_celsius", "Upper end of the unit's range.", "unit")
	unitOut  = desc("unit_out_of_range", "1 while an excursion is open, also when its data are lost.", "unit")
	unitExc  = desc("unit_excursion", "1 while an excursion to that side of the range is open, also when its data are lost.", "unit", "kind")
	unitNone = desc("unit_unmonitored", "1 while no temperature of the unit stands.", "unit")
	unitOutS = desc("unit_out_of_range_seconds_total", "Time out of range since the record began.", "unit")
	unitDark = desc("unit_unmonitored_seconds_total", "Time without a temperature since the record began.", "unit")
	unitSeen = desc("unit_last_count_timestamp_seconds", "When the boxes in the unit were counted last; there only where they were.", "unit")
	unitDue  = desc("unit_count_due_timestamp_seconds", "When the boxes in the unit are to be counted; there only while some are.", "unit")

	unitLost = desc("unit_batch_lost_timestamp_seconds", "When the first batch of the unit is over its limit if nobody comes; there only while that is to be feared.", "unit")

	doorOpen  = desc("unit_door_open", "1 while a door of the unit is open; there only while that is known.", "unit")
	doorCount = desc("unit_door_openings_total", "Openings of the unit's doors since the daemon started.", "unit")
	doorTime  = desc("unit_door_open_seconds_total", "Time that the unit's doors were known to be open, since the daemon started.", "unit")
	mainsLost = desc("mains_lost", "1 while the mains of the contact are lost; there only while that is known.", "contact")
	contactOn = desc("contact_on", "1 while the door is open, the mains are lost, the unit's own alarm is raised; there only while that is known.", "contact", "kind")

	batches   = desc("batches", "Batches in storage.", "unit", "verdict")
	flagged   = desc("batch_flagged", "1 where a batch in storage is out of range or quarantined.", "unit", "batch")
	unpaper   = desc("batches_without_papers", "Batches in storage of which a paper is missing that the label demands.", "unit")
	undecide  = desc("batches_proposed", "Batches in storage about which a decision waits for a second signature.", "unit")
	allowance = desc("batch_allowance_remaining_ratio", "What is left of a rule's allowance, 0 to 1.", "unit", "batch", "rule")

	alarms   = desc("alarms", "Open alarms.", "severity", "state")
	troubles = desc("troubles", "What people are called for, by how it stands; without drills.", "severity", "state")
	oldest   = desc("oldest_unacknowledged_alarm_timestamp_seconds", "When the oldest alarm was raised that nobody has taken; there only while there is one.", "severity")
	drilled  = desc("drill_last_timestamp_seconds", "When the newest drill began.")
	answered = desc("drill_last_answered_timestamp_seconds", "When a drill was answered last.")
	took     = desc("drill_last_answer_seconds", "From the page to the last answer to a drill.")
	beat     = desc("heartbeat_failing", "1 while whoever watches this daemon from outside does not hear its heartbeat.")
	peerUp   = desc("peer_up", "1 while another daemon of the site is heard; there only while that can be known.", "peer")
	sent     = desc("notifications_total", "Notifications that a channel took, since the daemon started.", "channel")
	unsent   = desc("notification_failures_total", "Notifications that a channel did not take, since the daemon started.", "channel")
	mqttUp   = desc("mqtt_connected", "1 while the MQTT broker is connected.")
	mqttLate = desc("mqtt_backlog_messages", "Readings and events that the MQTT broker has not acknowledged.")
	mqttSent = desc("mqtt_published_total", "Readings and events that the MQTT broker has acknowledged, since the daemon started.")
	mqttBusy = desc("mqtt_catching_up", "1 while a backlog is being sent to the MQTT broker.")

	clock  = desc("clock_synchronized", "1 while the system's clock is disciplined.")
	size   = desc("store_size_bytes", "Bytes of the record on disk.")
	free   = desc("store_free_bytes", "Bytes that are left on the disk for the record.")
	faults = desc("store_write_failures_total", "Steps that could not be written, since the daemon started.")
)

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*metric{buildInfo, probeTemp, probeUp, probeLast, probeReads, probeFails, probeDue, unitLow, unitHigh, unitOut, unitExc, unitNone, unitOutS, unitDark, unitSeen, unitDue, unitLost,
		doorOpen, doorCount, doorTime, mainsLost, contactOn, batches, flagged, unpaper, undecide, allowance, alarms, troubles, oldest, drilled, answered, took, beat, peerUp, sent, unsent, mqttUp, mqttLate, mqttSent, mqttBusy, clock, size, free, faults} {
		ch <- d.desc
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	c.walk(func(m *metric, kind prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(m.desc, kind, v, labels...)
	})
}

// walk tells all series.
func (c *Collector) walk(tell sink) {
	set := func(m *metric, v float64, labels ...string) { tell(m, prometheus.GaugeValue, v, labels...) }
	count := func(m *metric, v float64, labels ...string) { tell(m, prometheus.CounterValue, v, labels...) }
	set(buildInfo, 1, c.s.Version, revision(), runtime.Version())
	s := c.s.Snapshot()
	if s == nil {
		return
	}
	now := sensor.At(time.Now())
	for i := range s.Units {
		u := &s.Units[i]
		set(unitLow, u.Range.Low.Celsius(), u.ID)
		set(unitHigh, u.Range.High.Celsius(), u.ID)
		set(unitOut, truth(u.OutOfRange), u.ID)
		for _, side := range []string{"high", "low"} {
			set(unitExc, truth(u.OutOfRange && u.Side == side), u.ID, side)
		}
		set(unitNone, truth(u.Unmonitored), u.ID)
		count(unitOutS, u.OutOfRangeS, u.ID)
		count(unitDark, u.UnmonitoredS, u.ID)
		if u.CountedAt != 0 {
			set(unitSeen, float64(u.CountedAt)/1000, u.ID)
		}
		if u.CountDue != 0 {
			set(unitDue, float64(u.CountDue)/1000, u.ID)
		}
		for _, p := range u.Probes {
			// A snapshot that nobody renews must not look alive.
			up := p.Up && now.Sub(p.Last.Time) <= 2*c.s.Interval
			set(probeUp, truth(up), u.ID, p.ID)
			if up {
				set(probeTemp, p.Last.Temp.Celsius(), u.ID, p.ID)
			}
			if p.Last.Time != 0 {
				set(probeLast, float64(p.Last.Time)/1000, u.ID, p.ID)
			}
			count(probeReads, float64(p.Reads), u.ID, p.ID)
			for _, f := range probeFaults {
				count(probeFails, float64(p.Failures[f]), u.ID, p.ID, string(f))
			}
			if p.CalibrationDue != 0 {
				set(probeDue, float64(p.CalibrationDue)/1000, u.ID, p.ID)
			}
		}
	}
	contacts(s, set, count)
	c.batches(s, set)
	people(s, set)
	for _, channel := range slices.Sorted(maps.Keys(s.Notifications)) {
		n := s.Notifications[channel]
		count(sent, float64(n.Sent), channel)
		count(unsent, float64(n.Failed), channel)
	}
	if c.s.Connected != nil {
		set(mqttUp, truth(c.s.Connected()))
		set(mqttLate, float64(c.s.Backlog()))
	}
	if c.s.Published != nil {
		count(mqttSent, float64(c.s.Published()))
		set(mqttBusy, truth(c.s.CatchingUp()))
	}
	if c.s.Peers != nil {
		peers := c.s.Peers()
		for _, peer := range slices.Sorted(maps.Keys(peers)) {
			set(peerUp, truth(peers[peer]), peer)
		}
	}
	if c.s.HeartbeatFailing != nil {
		set(beat, truth(c.s.HeartbeatFailing()))
	}
	if c.s.Disk != nil {
		if used, left, known := c.s.Disk(); known {
			set(size, float64(used))
			set(free, float64(left))
		}
	}
	set(clock, truth(s.Synchronized))
	count(faults, float64(s.Store.WriteFailures))
}

func (c *Collector) batches(s *coldchain.Snapshot, set func(*metric, float64, ...string)) {
	type key struct {
		unit    string
		verdict coldchain.Verdict
	}
	n, without, proposed, lost := map[key]int{}, map[string]int{}, map[string]int{}, map[string]sensor.Instant{}
	for i := range s.Batches {
		b := &s.Batches[i]
		if b.Unit == "" {
			continue
		}
		if at := b.FirstLost(); at != nil && (lost[b.Unit] == 0 || *at < lost[b.Unit]) {
			lost[b.Unit] = *at
		}
		n[key{b.Unit, b.Verdict}]++
		if len(b.Missing) > 0 {
			without[b.Unit]++
		}
		if b.Proposal != nil {
			proposed[b.Unit]++
		}
		set(flagged, truth(b.Verdict.Flagged()), b.Unit, b.ID)
		for _, a := range b.Allowance {
			if a.TotalS > 0 {
				set(allowance, a.LeftS/a.TotalS, b.Unit, b.ID, a.Rule)
			}
		}
	}
	for i := range s.Units {
		set(unpaper, float64(without[s.Units[i].ID]), s.Units[i].ID)
		set(undecide, float64(proposed[s.Units[i].ID]), s.Units[i].ID)
		if at := lost[s.Units[i].ID]; at != 0 {
			set(unitLost, float64(at)/1000, s.Units[i].ID)
		}
		for _, v := range []coldchain.Verdict{coldchain.InRange, coldchain.InExcursion, coldchain.Quarantined, coldchain.Released, coldchain.Expired, coldchain.Unknown} {
			set(batches, float64(n[key{s.Units[i].ID, v}]), s.Units[i].ID, string(v))
		}
	}
}

// probeFaults are known before they happen, so that their series begin at 0.
var probeFaults = sensor.WireFaults()

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func revision() string {
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}
