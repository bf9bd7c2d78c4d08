package web

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// webConfig writes a web configuration with a certificate of its own and one
// user, prometheus, and gives who trusts the certificate.
func webConfig(t *testing.T) (path string, trusts *x509.CertPool) {
	t.Helper()
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	trusts = x509.NewCertPool()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	trusts.AppendCertsFromPEM(certificate)
	for name, b := range map[string][]byte{"tls.crt": certificate, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		"web.yml": []byte("tls_server_config: {cert_file: tls.crt, key_file: tls.key}\nbasic_auth_users: {prometheus: '" + string(hash) + "'}\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "web.yml"), trusts
}

// Over TCP nothing is told without TLS and the password, which is no leave to
// command: that takes the token, in its own header. The socket stays as it is.
func TestAPasswordAndTheTokenDoNotFight(t *testing.T) {
	config, trusts := webConfig(t)
	d := newDesk()
	s, err := New(d, Options{Interval: 10 * time.Second, Token: "a-token-of-some-length", ConfigFile: config})
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s")
	socket, err := ListenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 2)
	for _, l := range []net.Listener{tcp, socket} {
		go func() { ended <- s.Serve(l) }()
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusts}, DisableKeepAlives: true}}
	local := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}, DisableKeepAlives: true}}
	ask := func(c *http.Client, method, url string, change func(*http.Request)) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, url, strings.NewReader(`{"batch":"EX-1","by":"anna"}`))
		if err != nil {
			t.Fatal(err)
		}
		change(req)
		r, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(b)
	}
	nothing := func(*http.Request) {}
	password := func(r *http.Request) { r.SetBasicAuth("prometheus", "correct horse") }
	both := func(token string) func(*http.Request) {
		return func(r *http.Request) { password(r); r.Header.Set("Coldkeep-Token", token) }
	}
	page, command := "https://"+tcp.Addr().String()+"/api/v1/units", "https://"+tcp.Addr().String()+"/api/v1/commands/release"
	for _, x := range []struct {
		what   string
		client *http.Client
		method string
		url    string
		change func(*http.Request)
		want   int
	}{
		{"plain", client, "GET", "http://" + tcp.Addr().String() + "/api/v1/units", password, 400},
		{"no password", client, "GET", page, nothing, 401},
		{"a wrong password", client, "GET", page, func(r *http.Request) { r.SetBasicAuth("prometheus", "wrong") }, 401},
		{"the password", client, "GET", page, password, 200},
		{"a command with the password alone", client, "POST", command, password, 401},
		{"a command with the token alone", client, "POST", command, func(r *http.Request) { r.Header.Set("Authorization", "Bearer a-token-of-some-length") }, 401},
		{"a command with a wrong token", client, "POST", command, both("another-token-of-some-length"), 401},
		{"a command with both", client, "POST", command, both("a-token-of-some-length"), 200},
		{"the socket", local, "POST", "http://socket/api/v1/commands/release", nothing, 200},
	} {
		if got, body := ask(x.client, x.method, x.url, x.change); got != x.want {
			t.Errorf("%s: %d, want %d: %s", x.what, got, x.want, body)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if err := os.WriteFile(config, []byte("basic_auth_user: {a: b}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(d, Options{ConfigFile: config}); err == nil || !strings.Contains(err.Error(), "basic_auth_user") {
		t.Errorf("a bad configuration: %v", err)
	}
}
