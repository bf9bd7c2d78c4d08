package channels

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"coldkeep/alert"
)

// heartbeatEvery keeps well below the five pings a minute that healthchecks.io
// takes of one check.
const heartbeatEvery = time.Minute

// A Heartbeat tells somebody outside that the daemon works, so that its
// silence is noticed: the only thing that catches a dead machine, a power cut
// or a lost network. It speaks to URLs in the manner of healthchecks.io: a
// POST to the URL says that all is well, one to URL/fail that it is not, each
// with a short status as its body.
type Heartbeat struct {
	// Every is the time between pings; NewHeartbeat sets a minute.
	Every time.Duration

	urlFile string
	good    func() (status string, ok bool)
	log     *slog.Logger
	client  *http.Client
	failing atomic.Bool
}

// NewHeartbeat makes one that pings the URL in urlFile (a secret, see Secret;
// it is read at each ping, so that it can be changed). good is asked each
// time, must not block, and says whether a full cycle since the last time was
// good: readings taken and stored, alarms on their way. The status goes to
// whoever runs the service: nothing in it may be confidential.
func NewHeartbeat(urlFile string, good func() (status string, ok bool), log *slog.Logger) *Heartbeat {
	return &Heartbeat{Every: heartbeatEvery, urlFile: urlFile, good: good, log: log, client: newIntakeClient()}
}

// Run pings until ctx ends. The first ping comes when the time between two is
// over: a daemon that dies and is started again every few seconds must not look
// alive.
// A ping that is not taken is not tried again before the next is due; the log
// is told of the first one, and when pings are taken again.
func (h *Heartbeat) Run(ctx context.Context) {
	t := time.NewTicker(h.Every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		err := h.ping(ctx)
		if ctx.Err() != nil {
			return // it was we who broke it off
		}
		switch was := h.failing.Swap(err != nil); {
		case err != nil && !was:
			h.log.Warn("the heartbeat is not taken: nobody outside would notice if this machine died now", "error", err)
		case err == nil && was:
			h.log.Info("the heartbeat is taken again")
		}
	}
}

// Failing says whether the last ping was not taken. It is false before the
// first one.
func (h *Heartbeat) Failing() bool { return h.failing.Load() }

func (h *Heartbeat) ping(ctx context.Context) error {
	status, ok := h.good()
	u, err := secretURL(h.urlFile)
	if err != nil {
		return err
	}
	if !ok {
		u = u.JoinPath("fail") // keeps the query
	}
	in := intake{who: "the heartbeat's service", url: u.String(), client: h.client}
	r, text, err := in.post(ctx, "text/plain; charset=utf-8", []byte(alert.Cut(status, 1000)))
	if err != nil {
		return err
	}
	if err := httpFault(in.who, r, text); err != nil {
		return err
	}
	// healthchecks.io says 200 to a check that it does not have, and to a ping
	// that it drops: "OK (not found)", "OK (rate limited)".
	if text = strings.TrimSpace(text); strings.HasPrefix(text, "OK (") {
		return fmt.Errorf("%s answered %s: it did not count the ping", in.who, alert.Cut(text, 100))
	}
	return nil
}
