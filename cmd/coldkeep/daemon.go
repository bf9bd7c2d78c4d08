package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"

	"coldkeep/alert"
	"coldkeep/alert/channels"
	"coldkeep/internal/config"
	"coldkeep/internal/metrics"
	"coldkeep/internal/monitor"
	"coldkeep/internal/mqtt"
	"coldkeep/internal/store"
	"coldkeep/internal/web"
	"coldkeep/sensor"
	"coldkeep/sensor/chips"
)

// socketName is the socket for commands within the data directory.
const socketName = "coldkeep.sock"

// A daemon is the wiring of one run: of a config and of buses that are there.
type daemon struct {
	cfg   *config.Config
	buses []sensor.Bus
	log   *slog.Logger
	demo  bool
	// fill, where set, feeds history before the followers start.
	fill func(context.Context, *monitor.Monitor) error
	// up is told where the pages are, once everything runs.
	up func(web string)
	// beat is the time between heartbeats; 0: as is right for the service.
	beat time.Duration
}

// cleanup runs what was put off, last in first out, and keeps all errors.
type cleanup struct{ list []func() error }

func (c *cleanup) later(f func() error) { c.list = append(c.list, f) }
func (c *cleanup) run() (err error) {
	for i := len(c.list) - 1; i >= 0; i-- {
		err = errors.Join(err, c.list[i]())
	}
	return err
}

// run serves until ctx ends.
func (d *daemon) run(ctx context.Context) (err error) {
	// The daemon's memory is small and its garbage smaller: collecting more
	// often costs a Pi Zero less than the pages would.
	debug.SetGCPercent(50)
	var clean cleanup
	defer func() { err = errors.Join(err, clean.run()) }()
	for _, b := range d.buses {
		clean.later(b.Close)
	}
	st, err := store.Open(ctx, d.cfg.Storage.Dir)
	if err != nil {
		return err
	}
	clean.later(st.Close)
	call, err := d.openCall()
	if err != nil {
		return err
	}
	var publisher *mqtt.Publisher // made below: it follows the Monitor
	var synchronized func() bool  // the kernel knows
	if d.demo {
		// Its week of history was made by this very clock: there is no other to be
		// wrong against, and many a container's kernel says that nobody sets it.
		synchronized = func() bool { return true }
	}
	m := monitor.New(st, monitor.Options{Config: d.cfg.Judging(), Probes: d.cfg.Probes, Buses: d.buses, Contacts: d.cfg.Contacts, Interval: d.cfg.Sampling, Site: d.cfg.Place(), Node: d.cfg.Node,
		Duty: call.duty, Words: call.words, AnswerKey: call.key, Peers: func() ([]monitor.Peer, bool) { return silentPeers(publisher) },
		Products: d.cfg.Products, Synchronized: synchronized,
		Version: thisVersion().Version, Demo: d.demo, Log: d.log})
	if err := m.Open(ctx); err != nil {
		return err
	}
	if d.fill != nil {
		if err := d.fill(ctx, m); err != nil {
			return err
		}
	}
	followers, stopFollowers := context.WithCancel(context.WithoutCancel(ctx))
	var following sync.WaitGroup
	defer stopFollowers()
	source := metrics.Source{Snapshot: m.Snapshot, Interval: d.cfg.Sampling, Version: thisVersion().Version, Disk: diskOf(d.cfg.Storage.Dir)}
	if d.cfg.MQTT.Broker != "" {
		c := d.cfg.MQTT
		o := mqtt.Options{Broker: c.Broker, ClientID: c.ClientID, Username: c.Username, PasswordFile: alert.SecretPath(c.PasswordFile), CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: alert.SecretPath(c.KeyFile),
			CatchUp: c.CatchUp, Interval: d.cfg.Sampling, Discovery: c.Discovery, DiscoveryPrefix: c.DiscoveryPrefix, Peers: c.Peers, Log: d.log}
		if c.Commands {
			o.Do = m.Do
		}
		if publisher, err = mqtt.New(m, o); err != nil {
			return err
		}
		source.Connected, source.Backlog, source.Published, source.CatchingUp = publisher.Connected, publisher.Backlog, publisher.Published, publisher.CatchingUp
		if len(o.Peers) > 0 {
			source.Peers = publisher.Peers
		}
		following.Go(func() { publisher.Run(followers) })
	}
	following.Go(func() { alert.NewDispatcher(monitor.Alerts{Monitor: m}, call.channels, d.log).Run(followers) })
	if f := d.cfg.Heartbeat.URLFile; f != "" {
		beat := channels.NewHeartbeat(f, m.Good, d.log)
		if d.beat > 0 {
			beat.Every = d.beat
		}
		source.HeartbeatFailing = beat.Failing
		following.Go(func() { beat.Run(followers) })
	}

	serving, addr, err := d.serve(m, source)
	if err != nil {
		stopFollowers()
		following.Wait()
		return err
	}
	turning, stopTurning := context.WithCancel(context.WithoutCancel(ctx))
	defer stopTurning()
	ended := make(chan error, 1)
	go func() { ended <- m.Run(turning) }()
	contacts := chips.WatchContacts(d.cfg.Contacts, d.log, func(ctx context.Context, s sensor.ContactState) {
		if err := m.Contact(ctx, s); err != nil && ctx.Err() == nil {
			d.log.Error("a contact's change is not recorded", "contact", s.ID, "cause", err)
		}
	})
	following.Go(func() { watchdog(followers, m, d.log) })
	if d.up != nil {
		d.up(addr)
	}
	d.log.Info("coldkeep runs", "record", m.Record(), "dir", d.cfg.Storage.Dir, "web", addr, "units", len(d.cfg.Units), "probes", len(d.cfg.Probes))

	select {
	case <-ctx.Done():
	case err = <-serving.failed:
	}
	_, _ = systemd.SdNotify(false, systemd.SdNotifyStopping) // without a service manager there is nobody to tell
	d.log.Info("coldkeep stops")
	// The followers first: where they are is written with the last step.
	stopFollowers()
	err = errors.Join(err, contacts.Close())
	following.Wait()
	stopTurning()
	err = errors.Join(err, <-ended)
	closing, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return errors.Join(err, serving.close(closing))
}

// A callOut is what it takes to call people.
type callOut struct {
	duty     alert.Duty
	words    alert.Catalogues
	channels []alert.Notifier
	key      []byte // signs what messages offer to answer
}

// openCall opens the channels, without connecting to anything.
func (d *daemon) openCall() (*callOut, error) {
	c := &callOut{duty: d.cfg.Duty, words: alert.NewCatalogues()}
	c.duty.Kinds = map[string]string{}
	for _, s := range d.cfg.Channels {
		n, err := channels.Open(s, d.log)
		if err != nil {
			d.log.Error("a channel cannot be opened: it takes no alarms until coldkeep is started with what it needs", "cause", err)
			n = channels.Broken(s, err)
		}
		c.channels = append(c.channels, n)
		c.duty.Kinds[n.Name()] = s.Kind
	}
	if f := d.cfg.Words; f != "" {
		own, err := alert.LoadCatalogue(f)
		if err != nil {
			return nil, err
		}
		c.words.Add(own)
	}
	if len(c.channels) == 0 {
		d.log.Warn("no channel is configured: alarms reach nobody; see `notify` in the config")
	} else if len(c.duty.People) == 0 {
		d.log.Warn("nobody is listed to be called: alarms are told and never answered; see `people` in the config")
	}
	var err error
	c.key, err = answerKey(filepath.Join(d.cfg.Storage.Dir, "answer.key"))
	return c, err
}

// answerKey reads the key that signs answers, or makes it: what a message
// offers must still be known after a restart.
func answerKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if err == nil && len(key) == sha256.Size {
		return key, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read answer key: %w", err)
	}
	key = make([]byte, sha256.Size)
	rand.Read(key) // never fails
	if err := os.WriteFile(path, key, 0o600); err != nil {
		return nil, fmt.Errorf("write answer key: %w", err)
	}
	return key, nil
}

// silentPeers are the site's other daemons that the broker does not tell of;
// known is false while the broker itself is away.
func silentPeers(p *mqtt.Publisher) (silent []monitor.Peer, known bool) {
	if p == nil || !p.Connected() {
		return nil, false
	}
	for _, x := range p.SilentPeers() {
		silent = append(silent, monitor.Peer{Node: x.Node, Since: x.Since})
	}
	return silent, true
}

// serving is the web server on its listeners.
type serving struct {
	close  func(context.Context) error
	failed chan error
}

func (d *daemon) serve(m *monitor.Monitor, source metrics.Source) (*serving, string, error) {
	token := ""
	if f := d.cfg.Web.CommandTokenFile; f != "" {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, "", fmt.Errorf("read command token: %w", err)
		}
		if token = strings.TrimSpace(string(b)); len(token) < 16 {
			return nil, "", fmt.Errorf("read command token %s: it has %d characters; 16 random ones or more are needed", f, len(token))
		}
	}
	w, err := web.New(m, web.Options{Metrics: metrics.Handler(source), Interval: d.cfg.Sampling, Token: token, Open: d.demo, ConfigFile: d.cfg.Web.ConfigFile, Log: d.log})
	if err != nil {
		return nil, "", err
	}
	socket, err := web.ListenSocket(filepath.Join(d.cfg.Storage.Dir, socketName))
	if err != nil {
		return nil, "", err
	}
	s := &serving{close: w.Close, failed: make(chan error, 2)}
	serve := func(l net.Listener) {
		go func() {
			if err := w.Serve(l); err != nil {
				s.failed <- err
			}
		}()
	}
	addr := ""
	if d.cfg.Web.Listen != "" {
		l, err := net.Listen("tcp", d.cfg.Web.Listen)
		if err != nil {
			return nil, "", errors.Join(fmt.Errorf("listen for the web: %w", err), socket.Close())
		}
		addr = l.Addr().String()
		serve(l)
	}
	serve(socket)
	return s, addr, nil
}

// watchdog tells the service manager that the loop turns, and only then.
func watchdog(ctx context.Context, m *monitor.Monitor, log *slog.Logger) {
	if _, err := systemd.SdNotify(false, systemd.SdNotifyReady); err != nil {
		log.Warn("the service manager cannot be told", "cause", err)
	}
	every, err := systemd.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return
	}
	tick := time.NewTicker(every / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if m.Alive() {
				if _, err := systemd.SdNotify(false, systemd.SdNotifyWatchdog); err != nil {
					log.Warn("the watchdog cannot be fed", "cause", err)
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// busDeadline leaves a bus nine tenths of the interval, at most 5 s.
func busDeadline(interval time.Duration) time.Duration {
	return min(5*time.Second, interval/10*9)
}

// logger writes for people, to where messages go.
func (a *app) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(a.errOut, nil))
}
