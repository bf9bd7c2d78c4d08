package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// What the load test publishes: bounded, whatever the machine is.
const (
	loadSites  = 200
	loadProbes = 8
	loadSlot   = 10 * time.Second // between readings, in the record's time
	loadSpeed  = 5                // the steady phase runs this much faster than clinics do
	loadSteady = 15               // slots of the steady phase
	loadFlood  = 40               // slots that pile up in the broker
	loadBulk   = 300              // slots that are given to the database alone
)

// A loadSite is a clinic that publishes as coldkeep does.
type loadSite struct {
	id     string
	c      paho.Client
	seq    int
	at     time.Time // of the next slot
	sent   []time.Time
	tokens []paho.Token
}

// record is as long as a real one; the site stands beside it wherever it is kept.
func (s *loadSite) record() string { return "0000000000000" + strings.TrimPrefix(s.id, "clinic-") }

func (s *loadSite) publish(topic string, retained bool, payload string) {
	s.tokens = append(s.tokens, s.c.Publish("coldkeep/"+s.id+"/pi/"+topic, 1, retained, payload))
}

// slot publishes one sweep: a reading of each probe, the states of two units,
// and every sixth time an event.
func (s *loadSite) slot(n int) {
	for p := range loadProbes {
		s.seq++
		s.publish(fmt.Sprintf("probe/p%d/reading", p), false, fmt.Sprintf(`{"clock_synchronized":true,"probe":"p%d","record":%q,"seq":%d,"temperature_celsius":%.3f,"time":%q,"time_unix_ms":%d,"unit":"fridge-%d"}`,
			p, s.record(), s.seq, 4+float64((n*7+p)%40)/16, s.at.Format("2006-01-02T15:04:05Z"), s.at.UnixMilli(), p/4))
		s.sent = append(s.sent, time.Now())
	}
	for u := range 2 {
		s.publish(fmt.Sprintf("unit/fridge-%d/state", u), true, fmt.Sprintf(`{"batches":3,"flagged_batches":0,"max_celsius":6.5,"min_celsius":3.9,"name":"Treatment room fridge","out_of_range":0,"probe_ok":1,"temperature_celsius":%.3f,"time":%q,"time_unix_ms":%d,"unit":"fridge-%d"}`,
			4+float64((n*7)%40)/16, s.at.Format("2006-01-02T15:04:05Z"), s.at.UnixMilli(), u))
	}
	if n%6 == 0 {
		s.seq++
		s.publish("event", false, fmt.Sprintf(`{"v":1,"kind":"alarm_raised","record":%q,"seq":%d,"time":%q,"time_unix_ms":%d,"unit":"fridge-0","rule":"warm","severity":"critical","reason":"above 8 °C for 15m"}`,
			s.record(), s.seq, s.at.Format("2006-01-02T15:04:05Z"), s.at.UnixMilli()))
		s.sent = append(s.sent, time.Now())
	}
	s.at = s.at.Add(loadSlot)
}

// settle waits until the broker has acknowledged all.
func (s *loadSite) settle(t *testing.T) int {
	n := len(s.tokens)
	for _, tok := range s.tokens {
		if !tok.WaitTimeout(2*time.Minute) || tok.Error() != nil {
			t.Errorf("%s: not acknowledged: %v", s.id, tok.Error())
			break
		}
	}
	s.tokens = nil
	return n
}

// spent is the processor time of a process and its children, and its memory.
func spent(t *testing.T, s *fleetServer) (cpu time.Duration, rss int64) {
	t.Helper()
	parent := strconv.Itoa(s.cmd.Process.Pid)
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		pid := filepath.Base(filepath.Dir(path))
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		own := pid == parent
		if !own && f[1] != parent {
			continue
		}
		fields := []int{11, 12}
		if own {
			fields = []int{11, 12, 13, 14} // with the children that have ended
			pages, err := strconv.ParseInt(f[21], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			rss = pages * int64(os.Getpagesize())
		}
		for _, i := range fields {
			ticks, err := strconv.ParseInt(f[i], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			cpu += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	return cpu, rss
}

// A loadPhase is a phase that is measured.
type loadPhase struct {
	t      *testing.T
	f      *fleet
	began  time.Time
	before [3]time.Duration
}

func (f *fleet) measure() *loadPhase {
	l := &loadPhase{t: f.t, f: f, began: time.Now()}
	for i, s := range []*fleetServer{f.broker, f.collector, f.db} {
		l.before[i], _ = spent(f.t, s)
	}
	return l
}

func (l *loadPhase) tell(what string, messages int) {
	took := time.Since(l.began)
	text := fmt.Sprintf("%s: %d messages in %.1f s, %.0f/s", what, messages, took.Seconds(), float64(messages)/took.Seconds())
	for i, s := range []*fleetServer{l.f.broker, l.f.collector, l.f.db} {
		after, rss := spent(l.t, s)
		text += fmt.Sprintf("; %s %.0f µs/message, %.0f %% of a core", []string{"broker", "collector", "database"}[i],
			float64((after-l.before[i]).Microseconds())/float64(messages), 100*(after-l.before[i]).Seconds()/took.Seconds())
		if s != l.f.db { // whose memory is shared among its processes
			text += fmt.Sprintf(", %d MiB", rss>>20)
		}
	}
	l.t.Log(text)
}

// Two hundred clinics publish at five times their pace, then pile up while the
// collector is away, then drain. Every reading arrives once. The figures are
// those of deploy/fleet/README.md.
func TestSystemFleetLoad(t *testing.T) {
	ids := make([]string, loadSites)
	for i := range ids {
		ids[i] = fmt.Sprintf("clinic-%03d", i)
	}
	f := openFleet(t, ids...)
	sites := make([]*loadSite, loadSites)
	at := time.Now().UTC().Truncate(loadSlot).Add(-time.Hour)
	for i, id := range ids {
		sites[i] = &loadSite{id: id, c: f.clinic(id), at: at}
	}

	// Steady: each site has its own place in the slot, as clocks have it.
	poll, lags, polled := make(chan struct{}), []time.Duration(nil), make(chan struct{})
	var mu sync.Mutex // over what sites have sent
	go func() {
		defer close(polled)
		done := map[string]int{}
		for last := false; !last; {
			select {
			case <-poll:
				last = true
			case <-time.After(200 * time.Millisecond):
			}
			rows, err := f.ask("owner", "coldkeep", "SELECT site, last_seq FROM coldkeep.records")
			if err != nil {
				t.Error(err)
				return
			}
			now := time.Now()
			mu.Lock()
			for _, r := range rows {
				i, n := slices.Index(ids, r[0]), 0
				if n, err = strconv.Atoi(r[1]); err != nil || i < 0 {
					t.Errorf("row %v: %v", r, err)
					continue
				}
				for ; done[r[0]] < n; done[r[0]]++ {
					lags = append(lags, now.Sub(sites[i].sent[done[r[0]]]))
				}
			}
			mu.Unlock()
		}
	}()
	steady := f.measure()
	pace := loadSlot / loadSpeed
	for n := range loadSteady {
		for i, s := range sites {
			time.Sleep(time.Until(steady.began.Add(time.Duration(n)*pace + pace*time.Duration(i)/loadSites)))
			mu.Lock()
			s.slot(n)
			mu.Unlock()
		}
	}
	messages := 0
	for _, s := range sites {
		messages += s.settle(t)
	}
	sum := func() (n int64) {
		for _, s := range sites {
			n += int64(s.seq)
		}
		return n
	}
	all := func() bool { return f.number("SELECT sum(arrived) FROM coldkeep.records") == sum() }
	f.await("the steady phase to arrive", time.Minute, all)
	steady.tell(fmt.Sprintf("steady, %d sites at %d times their pace", loadSites, loadSpeed), messages)
	close(poll)
	<-polled
	slices.Sort(lags)
	p50, p99 := lags[len(lags)/2], lags[len(lags)*99/100]
	t.Logf("from publish to committed: p50 %v, p99 %v, most %v of %d (looked at every 0.2 s)", p50.Round(time.Millisecond), p99.Round(time.Millisecond), lags[len(lags)-1].Round(time.Millisecond), len(lags))
	if p99 > 30*time.Second {
		t.Errorf("p99 %v", p99)
	}

	// The collector is away, and the broker keeps everything.
	f.collector.end(syscall.SIGTERM)
	_, before := spent(t, f.broker)
	flood, began := 0, time.Now()
	var publishing sync.WaitGroup
	for _, s := range sites {
		publishing.Go(func() {
			for n := range loadFlood {
				s.slot(n)
				if n%4 == 3 {
					k := s.settle(t)
					mu.Lock()
					flood += k
					mu.Unlock()
				}
			}
		})
	}
	publishing.Wait()
	took := time.Since(began)
	_, after := spent(t, f.broker)
	t.Logf("without a collector: %d messages in %.1f s, %.0f/s into the broker; it grew by %d bytes for each", flood, took.Seconds(), float64(flood)/took.Seconds(), (after-before)/int64(flood))
	f.startCollector()
	drain := f.measure()
	f.await("the backlog to drain", 2*time.Minute, all)
	drain.tell("draining", flood)

	for _, s := range sites {
		if n := f.number("SELECT missing FROM coldkeep.site_status WHERE site = '" + s.id + "'"); n != 0 {
			t.Errorf("%s: %d places are missing", s.id, n)
		}
	}
	readings := int64(loadSites * loadProbes * (loadSteady + loadFlood))
	if n := f.number("SELECT count(*) FROM coldkeep.readings"); n != readings {
		t.Errorf("%d readings, want %d", n, readings)
	}
	if n := f.number("SELECT count(*) FROM coldkeep.refused"); n != 0 {
		t.Errorf("%d messages were refused", n)
	}
	f.bulk(t, readings)
}

// bulk gives the database alone many slots of all sites, through its inbox, and
// tells what they cost on disk and what the dashboard costs then.
func (f *fleet) bulk(t *testing.T, before int64) {
	t.Helper()
	wal := f.one("SELECT pg_current_wal_lsn()")
	began := time.Now()
	f.rows(fmt.Sprintf(`DO $$ BEGIN
		FOR n IN 1..%[1]d LOOP
			INSERT INTO coldkeep.inbox SELECT now(), format('coldkeep/%%s/%%s/probe/%%s/reading', p.site, p.node, p.probe), jsonb_build_object(
				'record', r.record, 'seq', r.last_seq + 1 + row_number() OVER (PARTITION BY p.site ORDER BY p.id), 'probe', p.probe, 'unit', p.unit, 'clock_synchronized', true,
				'temperature_celsius', 4 + (n %% 40) / 16.0, 'time_unix_ms', (extract(epoch FROM date_trunc('day', now()) - (%[1]d - n) * interval '10 seconds') * 1000)::bigint)::text
			FROM coldkeep.probes p JOIN coldkeep.records r USING (site, node);
			COMMIT;
		END LOOP;
	END $$`, loadBulk))
	took := time.Since(began)
	rows := f.number("SELECT count(*) FROM coldkeep.readings")
	added := int64(loadSites * loadProbes * loadBulk)
	if rows != before+added {
		t.Errorf("%d readings, want %d", rows, before+added)
	}
	tell := func(what string) {
		heap := f.number("SELECT sum(pg_table_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'coldkeep.readings'::regclass")
		index := f.number("SELECT sum(pg_indexes_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'coldkeep.readings'::regclass")
		t.Logf("%d readings on disk, %s: %.1f bytes each in the table, %.1f in its index", rows, what, float64(heap)/float64(rows), float64(index)/float64(rows))
	}
	t.Logf("database alone: %d readings in %.1f s, %.0f/s; %d bytes of log each", added, took.Seconds(), float64(added)/took.Seconds(), f.number("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '"+wal+"')::bigint")/added)
	tell("as they came")
	f.rows("REINDEX TABLE coldkeep.readings")
	tell("index made anew")
	for _, q := range []string{"fleet-at-a-glance", "sites", "units-out-of-range", "unit-history"} {
		b, err := os.ReadFile(filepath.Join(fleetDir, "queries", q+".sql"))
		if err != nil {
			t.Fatal(err)
		}
		query := fleetMacros.Replace(string(b))
		query = strings.NewReplacer("'demo'", "'clinic-007'", "'fridge-1'", "'fridge-0'", "'1 hour'", "'1 day'").Replace(query)
		plan := f.rows("EXPLAIN (ANALYZE, TIMING OFF, SUMMARY ON) " + query)
		t.Logf("%s.sql over %d sites: %s", q, loadSites, plan[len(plan)-1][0])
	}
}
