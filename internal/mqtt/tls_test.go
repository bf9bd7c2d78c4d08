package mqtt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
)

// file writes a file for its owner only.
func file(t *testing.T, text string) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// An authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
	n    int64
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.key = key
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a.file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	return a
}

// signs makes a certificate that ends then, of a machine with that address.
func (a *authority) signs(name string, ip net.IP, ends time.Time) (cert, key string) {
	a.t.Helper()
	a.n++
	x := &x509.Certificate{SerialNumber: big.NewInt(a.n + 1), Subject: pkix.Name{CommonName: name}, NotBefore: ends.Add(-2 * time.Hour), NotAfter: ends, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IPAddresses: []net.IP{ip}}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, x, a.cert, k.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return file(a.t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))), file(a.t, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

// A publisher speaks TLS and WebSocket, shows its certificate, and says in
// words why it is not let in.
func TestWaysToABroker(t *testing.T) {
	ours, theirs := newAuthority(t, "Example CA"), newAuthority(t, "Another CA")
	here := net.IPv4(127, 0, 0, 1)
	pair := func(cert, key string) []tls.Certificate {
		p, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{p}
	}
	good := pair(ours.signs("broker", here, time.Now().Add(time.Hour)))
	old := pair(ours.signs("broker", here, time.Now().Add(-time.Minute)))
	elsewhere := pair(ours.signs("broker", net.IPv4(127, 0, 0, 2), time.Now().Add(time.Hour)))
	pool := x509.NewCertPool()
	signed, err := os.ReadFile(ours.file)
	if err != nil {
		t.Fatal(err)
	}
	pool.AppendCertsFromPEM(signed)
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := s.AddHook(new(auth.AllowHook), nil); err != nil {
		t.Fatal(err)
	}
	closed := &tls.Config{Certificates: good, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	ssl := listeners.NewTCP(listeners.Config{ID: "ssl", Address: "127.0.0.1:0", TLSConfig: &tls.Config{Certificates: good}})
	mutual := listeners.NewTCP(listeners.Config{ID: "mutual", Address: "127.0.0.1:0", TLSConfig: closed})
	stale := listeners.NewTCP(listeners.Config{ID: "stale", Address: "127.0.0.1:0", TLSConfig: &tls.Config{Certificates: old}})
	other := listeners.NewTCP(listeners.Config{ID: "other", Address: "127.0.0.1:0", TLSConfig: &tls.Config{Certificates: elsewhere}})
	ws := listeners.NewWebsocket(listeners.Config{ID: "ws", Address: free(t)})
	wss := listeners.NewWebsocket(listeners.Config{ID: "wss", Address: free(t), TLSConfig: closed})
	for _, l := range []listeners.Listener{ssl, mutual, stale, other, ws, wss} {
		if err := s.AddListener(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })

	own, ownKey := ours.signs("pi-1", here, time.Now().Add(time.Hour))
	wrong, wrongKey := theirs.signs("pi-1", here, time.Now().Add(time.Hour))
	for name, c := range map[string]struct {
		o    Options
		want string // of the log; "" it connects
	}{
		"ssl":                         {Options{Broker: "ssl://" + ssl.Address(), CAFile: ours.file}, ""},
		"ssl with our certificate":    {Options{Broker: "ssl://" + mutual.Address(), CAFile: ours.file, CertFile: own, KeyFile: ownKey}, ""},
		"ws":                          {Options{Broker: "ws://" + ws.Address() + "/mqtt"}, ""},
		"wss with our certificate":    {Options{Broker: "wss://" + wss.Address() + "/mqtt", CAFile: ours.file, CertFile: own, KeyFile: ownKey}, ""},
		"a broker nobody vouches for": {Options{Broker: "ssl://" + ssl.Address(), CAFile: theirs.file}, "nobody whom we trust has signed its certificate (mqtt.ca_file"},
		"the system's authorities":    {Options{Broker: "ssl://" + ssl.Address()}, "nobody whom we trust has signed its certificate (mqtt.ca_file"},
		"another name":                {Options{Broker: "ssl://" + other.Address(), CAFile: ours.file}, "its certificate is for another name than the one in mqtt.broker"},
		"out of date":                 {Options{Broker: "ssl://" + stale.Address(), CAFile: ours.file}, "its certificate is not valid now"},
		"without our certificate":     {Options{Broker: "ssl://" + mutual.Address(), CAFile: ours.file}, "it does not accept our certificate (mqtt.cert_file"},
		"with a stranger's":           {Options{Broker: "ssl://" + mutual.Address(), CAFile: ours.file, CertFile: wrong, KeyFile: wrongKey}, "it does not accept our certificate (mqtt.cert_file"},
		"a CA that is none":           {Options{Broker: "ssl://" + ssl.Address(), CAFile: ownKey}, "holds no certificate in PEM"},
		"a key that is another's":     {Options{Broker: "ssl://" + ssl.Address(), CAFile: ours.file, CertFile: own, KeyFile: wrongKey}, "read mqtt client certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var book logbook
			c.o.ClientID, c.o.Log = "test-"+strings.ReplaceAll(name, " ", "-"), book.log()
			r := newRecord()
			r.add(20)
			p := start(t, r, c.o, nil)
			if c.want != "" {
				await(t, "the log to say why", func() bool { return strings.Contains(book.String(), c.want) })
				if r.Cursor("") != 0 || p.Connected() {
					t.Error("something was sent all the same")
				}
				return
			}
			await(t, "the readings", func() bool { return r.Cursor("") == 20 })
		})
	}
}

// free is an address where nothing listens yet.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
