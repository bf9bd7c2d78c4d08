package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"coldkeep/alert"
)

// catchUpDefault is how many messages of a backlog go out in a second: a day
// of eight probes at ten seconds takes two and a half minutes, and a broker on
// a Raspberry Pi does not notice.
const catchUpDefault = 500

// mqtt reads where to publish.
func (p *reader) mqtt(m value) {
	c := p.cfg
	g := m.fields("broker", "client_id", "username", "password_file", "ca_file", "cert_file", "key_file", "catch_up", "discovery", "discovery_prefix", "commands", "peers")
	c.MQTT = MQTT{Broker: g["broker"].str(""), ClientID: g["client_id"].str("coldkeep-" + c.Node), Username: g["username"].str(""), PasswordFile: p.secret(g["password_file"]),
		CAFile: p.named(g["ca_file"], false), CertFile: p.named(g["cert_file"], false), KeyFile: p.secret(g["key_file"]), CatchUp: catchUpDefault, DiscoveryPrefix: "homeassistant"}
	secure := p.broker(m, g["broker"])
	for _, key := range []string{"ca_file", "cert_file", "key_file"} {
		if g[key].there() && c.MQTT.Broker != "" && !secure {
			g[key].bad("a connection to %s is not encrypted and has no certificates; write the broker as ssl://HOST:8883 or wss://HOST:PORT/PATH, or leave this out", schemeOf(c.MQTT.Broker))
		}
	}
	switch {
	case g["cert_file"].there() && !g["key_file"].there():
		g["cert_file"].bad("its key is missing: `key_file: PATH`")
	case g["key_file"].there() && !g["cert_file"].there():
		g["key_file"].bad("its certificate is missing: `cert_file: PATH`")
	}
	if g["password_file"].there() && !g["username"].there() {
		g["password_file"].bad("a password needs whose it is: `username: NAME`")
	}
	if c.MQTT.Username != "" && !secure && !local(c.MQTT.Broker) && c.MQTT.Broker != "" {
		p.warn(g["username"], "the password crosses the network unencrypted; ssl:// or wss:// would hide it")
	}
	if r := g["catch_up"]; r.there() {
		f := r.number(catchUpDefault)
		// Twice what the probes bring, or a backlog takes for ever.
		least := int(math.Ceil(2 * float64(len(c.Probes)) / c.Sampling.Seconds()))
		switch {
		case f != math.Trunc(f) || f < 0 || f > 1e6:
			r.bad("%v is no number of messages a second; 500 is, and 0 sets no limit", f)
		case f > 0 && int(f) < least:
			r.bad("%d a second would hardly ever catch up: %d probes every %s bring half of %d; write %d or more, or 0 for no limit", int(f), len(c.Probes), c.Sampling, least, least)
		default:
			c.MQTT.CatchUp = int(f)
		}
	}
	if g["discovery"].there() {
		c.MQTT.Discovery, _ = g["discovery"].boolean()
	}
	if x := g["discovery_prefix"]; x.there() {
		c.MQTT.DiscoveryPrefix = strings.TrimRight(x.str(""), "/")
		switch {
		case !c.MQTT.Discovery:
			x.bad("it says where Home Assistant looks, and it is told nothing without `discovery: true`")
		case c.MQTT.DiscoveryPrefix == "" || strings.ContainsAny(c.MQTT.DiscoveryPrefix, "+# ") || strings.HasPrefix(c.MQTT.DiscoveryPrefix, "/"):
			x.bad("%q is no topic; Home Assistant's own is homeassistant", x.str(""))
		}
	}
	if g["commands"].there() {
		c.MQTT.Commands, _ = g["commands"].boolean()
	}
	for _, x := range g["peers"].items() {
		id := x.id(x)
		switch {
		case id == "":
		case strings.EqualFold(id, c.Node):
			x.bad("%s is this node; peers are the site's others", id)
		case slices.ContainsFunc(c.MQTT.Peers, func(o string) bool { return strings.EqualFold(o, id) }):
			x.bad("%s stands here twice", id)
		default:
			c.MQTT.Peers = append(c.MQTT.Peers, id)
		}
	}
}

// broker checks the address, and says whether its connections are encrypted.
func (p *reader) broker(m, b value) (secure bool) {
	raw := p.cfg.MQTT.Broker
	if raw == "" {
		m.bad("the broker is missing: `broker: tcp://HOST:1883`")
		return false
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		// Not the parser's own words: they would repeat a password.
		b.bad("this is no broker; tcp://HOST:1883, ssl://HOST:8883, ws://HOST:PORT/PATH and wss://HOST:PORT/PATH are")
		return false
	}
	web := false
	switch u.Scheme {
	case "tcp", "mqtt":
	case "ssl", "tls", "mqtts":
		secure = true
	case "ws":
		web = true
	case "wss":
		secure, web = true, true
	default:
		b.bad("%s:// is no way to a broker; tcp://HOST:1883, ssl://HOST:8883, ws://HOST:PORT/PATH and wss://HOST:PORT/PATH are", u.Scheme)
		return false
	}
	switch {
	case u.User != nil:
		b.bad("a user name and password have no place here: `username: NAME` and `password_file: PATH`")
	case u.Port() == "" && !web:
		port := "1883"
		if secure {
			port = "8883"
		}
		b.bad("the port is missing: %s://%s:%s", u.Scheme, u.Host, port)
	case !web && u.Path != "" && u.Path != "/":
		b.bad("%s:// takes no path; ws:// and wss:// do", u.Scheme)
	}
	return secure
}

func schemeOf(broker string) string {
	scheme, _, _ := strings.Cut(broker, "://")
	return scheme + "://"
}

// local says whether a broker is on this machine.
func local(broker string) bool {
	u, err := url.Parse(broker)
	return err == nil && (u.Hostname() == "localhost" || u.Hostname() == "::1" || strings.HasPrefix(u.Hostname(), "127."))
}

// certificates looks into the files of the connection to the broker, as far as
// they are here and may be read.
func (c *Config) certificates(problem func(path, format string, args ...any)) {
	m := c.MQTT
	read := func(path string) []byte {
		b, err := os.ReadFile(alert.SecretPath(path))
		if err != nil || len(b) == 0 {
			return nil // Files tells of that
		}
		return b
	}
	authority, cert, key := read(m.CAFile), read(m.CertFile), read(m.KeyFile)
	if authority != nil && !x509.NewCertPool().AppendCertsFromPEM(authority) {
		problem(m.CAFile, "%s holds no certificate in PEM: it must begin with -----BEGIN CERTIFICATE-----", m.CAFile)
	}
	if cert == nil {
		return
	}
	block, _ := pem.Decode(cert)
	if block == nil || block.Type != "CERTIFICATE" {
		problem(m.CertFile, "%s holds no certificate in PEM: it must begin with -----BEGIN CERTIFICATE-----", m.CertFile)
		return
	}
	if x, err := x509.ParseCertificate(block.Bytes); err != nil {
		problem(m.CertFile, "%s holds a certificate that cannot be read", m.CertFile)
	} else if now := time.Now(); now.After(x.NotAfter) {
		problem(m.CertFile, "the certificate in %s has ended on %s: get a new one", m.CertFile, x.NotAfter.UTC().Format(time.DateOnly))
	}
	if key == nil {
		return
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		problem(m.KeyFile, "the key in %s does not belong to the certificate in %s, or is no key in PEM without a passphrase", m.KeyFile, m.CertFile)
	}
}
