package channels

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"coldkeep/alert"
)

// A smtpMode is how a fakeSMTP secures its connections.
type smtpMode int

const (
	smtpPlain    smtpMode = iota // no TLS
	smtpStartTLS                 // offered
	smtpTLS                      // from the first byte
)

// fakeSMTP is a mail server (RFC 5321) with one account: EHLO with its
// extensions, STARTTLS, AUTH PLAIN and LOGIN, a size limit, its order of
// commands.
type fakeSMTP struct {
	t              *testing.T
	mode           smtpMode
	user, password string
	auth           string // what is offered, "PLAIN LOGIN"; "" nothing
	most           int    // bytes of a message
	listener       net.Listener
	tls            *tls.Config
	roots          *x509.CertPool
	gone           chan struct{}
	once           sync.Once
	running        sync.WaitGroup

	mu     sync.Mutex // over what follows, and over auth and most
	faults []farFault
	reply  map[string]string // by verb, "." the end of a message: what is answered instead
	mails  []string          // as received, dots unstuffed
	said   []string          // the lines of all clients, without messages
}

func newFakeSMTP(t *testing.T, mode smtpMode) *fakeSMTP {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeSMTP{t: t, mode: mode, user: "coldkeep", password: "pa55-of-the-mailbox", auth: "PLAIN LOGIN", most: 100_000, listener: listener, gone: make(chan struct{}), reply: map[string]string{}}
	f.tls, f.roots = testCertificate(t)
	f.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			f.running.Go(func() { f.serve(conn) })
		}
	})
	return f
}

// testCertificate is one for 127.0.0.1, and the pool that trusts it.
func testCertificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.clinic.example"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

func (f *fakeSMTP) settings(t *testing.T) alert.Settings {
	return alert.Settings{Kind: "email", Server: f.listener.Addr().String(), From: "coldkeep@clinic.example", To: "office@clinic.example", Account: f.user, TokenFile: secretFile(t, f.password),
		Security: [...]string{"none", "starttls", "tls"}[f.mode]}
}

func (f *fakeSMTP) fail(faults ...farFault) {
	for _, fault := range faults {
		if fault == farAway {
			f.listener.Close()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, faults...)
}

func (f *fakeSMTP) close() {
	f.once.Do(func() { close(f.gone) })
	f.listener.Close()
	f.running.Wait()
}

// set changes the server between two connections.
func (f *fakeSMTP) set(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func (f *fakeSMTP) hurry(n alert.Notifier) { n.(*email).limit = hurried }

func (f *fakeSMTP) lines() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.said...)
}

func (f *fakeSMTP) raw() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.mails...)
}

// took gives subject and text of the mails, as a mail program shows them.
func (f *fakeSMTP) took() (list []string) {
	for _, raw := range f.raw() {
		m, err := mail.ReadMessage(strings.NewReader(raw))
		if err != nil {
			f.t.Errorf("a mail cannot be read: %v\n%s", err, raw)
			continue
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
		if err != nil {
			f.t.Errorf("a subject cannot be read: %v", err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
		if err != nil {
			f.t.Errorf("a text cannot be read: %v", err)
		}
		list = append(list, subject+"\n"+strings.ReplaceAll(string(text), "\r\n", "\n"))
	}
	return list
}

func (f *fakeSMTP) serve(conn net.Conn) {
	done := make(chan struct{})
	defer close(done)
	defer func() { conn.Close() }()
	closing := conn
	f.running.Go(func() {
		select {
		case <-f.gone:
			closing.Close()
		case <-done:
		}
	})
	f.mu.Lock()
	auth, most := f.auth, f.most
	f.mu.Unlock()
	secure := false
	if f.mode == smtpTLS {
		c := tls.Server(conn, f.tls)
		if c.Handshake() != nil {
			return
		}
		conn, secure = c, true
	}
	in := textproto.NewReader(bufio.NewReader(conn))
	say := func(verb, line string) bool {
		f.mu.Lock()
		if other, is := f.reply[verb]; is {
			line = other
		}
		f.mu.Unlock()
		fmt.Fprint(conn, line+"\r\n")
		return strings.HasPrefix(line, "2") || strings.HasPrefix(line, "3")
	}
	if !say("greeting", "220 mail.clinic.example ESMTP") {
		return
	}
	greeted, known, from, to := false, false, false, false
	for {
		line, err := in.ReadLine()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.said = append(f.said, line)
		f.mu.Unlock()
		verb, arg, _ := strings.Cut(line, " ")
		switch verb = strings.ToUpper(verb); {
		case verb == "QUIT":
			say(verb, "221 2.0.0 Bye")
			return
		case verb == "EHLO":
			greeted, from, to = true, false, false
			offers := []string{"mail.clinic.example", "PIPELINING", fmt.Sprintf("SIZE %d", most), "8BITMIME", "ENHANCEDSTATUSCODES"}
			if f.mode == smtpStartTLS && !secure {
				offers = append(offers, "STARTTLS")
			} else if auth != "" {
				offers = append(offers, "AUTH "+auth)
			}
			last := len(offers) - 1
			say(verb, "250-"+strings.Join(offers[:last], "\r\n250-")+"\r\n250 "+offers[last])
		case !greeted:
			say(verb, "503 5.5.1 Send hello first")
		case verb == "STARTTLS" && f.mode == smtpStartTLS && !secure:
			if !say(verb, "220 2.0.0 Ready to start TLS") {
				continue
			}
			c := tls.Server(conn, f.tls)
			if c.Handshake() != nil {
				return
			}
			conn, secure, greeted = c, true, false
			in = textproto.NewReader(bufio.NewReader(conn))
		case verb == "AUTH":
			known = f.logIn(auth, arg, in, func(line string) { say(verb, line) })
		case verb == "MAIL":
			switch {
			case !known && auth != "":
				say(verb, "530 5.7.0 Authentication required")
			case f.nextIs(farBusy):
				say(verb, "450 4.7.1 Too many messages, try again later")
			case f.nextIs(farBroken):
				say(verb, "451 4.3.0 Local error in processing")
			case f.nextIs(farRefuses):
				say(verb, "550 5.7.1 Sender refused")
			default:
				from = say(verb, "250 2.1.0 Ok")
			}
		case verb == "RCPT":
			if !from {
				say(verb, "503 5.5.1 Need MAIL before RCPT")
				continue
			}
			to = say(verb, "250 2.1.5 Ok")
		case verb == "DATA":
			if !to {
				say(verb, "503 5.5.1 Need RCPT before DATA")
				continue
			}
			if !say(verb, "354 End data with <CR><LF>.<CR><LF>") {
				continue
			}
			if !f.data(in, most, say) {
				return
			}
			from, to = false, false
		default:
			say(verb, "502 5.5.2 Command not recognized")
		}
	}
}

// nextIs takes the fault off the queue if it is the next one.
func (f *fakeSMTP) nextIs(fault farFault) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.faults) == 0 || f.faults[0] != fault {
		return false
	}
	f.faults = f.faults[1:]
	return true
}

// data takes a message; false ends the connection.
func (f *fakeSMTP) data(in *textproto.Reader, most int, say func(verb, line string) bool) bool {
	lines, err := in.ReadDotLines()
	if err != nil {
		return false
	}
	text := strings.Join(lines, "\r\n") + "\r\n"
	if len(text) > most {
		return say(".", "552 5.3.4 Message size exceeds fixed limit")
	}
	f.mu.Lock()
	if other := f.reply["."]; other == "" || other[0] == '2' {
		f.mails = append(f.mails, text)
	}
	f.mu.Unlock()
	switch {
	case f.nextIs(farHangs):
		<-f.gone
		return false
	case f.nextIs(farDrops):
		return false
	case f.nextIs(farGarbled):
		say(".", "2\xff? queued, we think")
		return true
	}
	say(".", "250 2.0.0 Ok: queued as 12345")
	return true
}

func (f *fakeSMTP) logIn(auth, arg string, in *textproto.Reader, say func(string)) bool {
	way, first, _ := strings.Cut(arg, " ")
	if auth == "" || !strings.Contains(" "+auth+" ", " "+strings.ToUpper(way)+" ") {
		say("504 5.5.4 Unrecognized authentication type")
		return false
	}
	ask := func(words string) string {
		say("334 " + base64.StdEncoding.EncodeToString([]byte(words)))
		line, err := in.ReadLine()
		if err != nil {
			return ""
		}
		b, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return ""
		}
		return string(b)
	}
	got := ""
	if strings.EqualFold(way, "LOGIN") {
		got = ask("Username:") + "\x00" + ask("Password:")
	} else if b, err := base64.StdEncoding.DecodeString(first); err == nil {
		got = strings.TrimPrefix(string(b), "\x00")
	}
	if got != f.user+"\x00"+f.password {
		say("535 5.7.8 Authentication credentials invalid")
		return false
	}
	say("235 2.7.0 Authentication successful")
	return true
}
