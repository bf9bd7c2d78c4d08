package channels

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"coldkeep/alert"
)

// email sends through a mail server, over net/smtp: it is small, and it lets
// us know whether a connection was lost before or after the message was given
// away, on which everything here depends.
type email struct {
	id       string
	host     string
	address  string // HOST:PORT
	security string // starttls, tls, none
	user     string
	secret   string // the file of the password
	limit    time.Duration
	from     *mail.Address
	to       *mail.Address // of messages to nobody in particular; nil: none
	tls      *tls.Config
}

const (
	// emailMost bounds a whole conversation with the server. RFC 5321 §4.5.3.2
	// grants it more, but a page cannot wait for so long.
	emailMost = 25 * time.Second
	// subjectMost keeps a subject on one line of a mail, which may have 998
	// characters, also where each takes three letters four times over.
	subjectMost = 150
)

var mailLanguage = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$`)

func openEmail(s alert.Settings) (alert.Notifier, error) {
	e := &email{id: s.ID, security: s.Security, user: s.Account, secret: s.TokenFile, limit: emailMost}
	port := ""
	switch s.Security {
	case "", "starttls":
		e.security, port = "starttls", "587"
	case "tls":
		port = "465"
	case "none":
		port = "25"
	default:
		return nil, fmt.Errorf("open channel %s: security is %q: there are starttls, tls and none", s.ID, s.Security)
	}
	var err error
	if e.host, e.address, err = mailHost(s.Server, port); err != nil {
		return nil, fmt.Errorf("open channel %s: %w", s.ID, err)
	}
	if e.from, err = mail.ParseAddress(s.From); err != nil {
		return nil, fmt.Errorf("open channel %s: from must be a mailbox like coldkeep@clinic.example", s.ID)
	}
	if e.from.Name == "" {
		e.from.Name = "coldkeep"
	}
	if s.To != "" {
		if e.to, err = mail.ParseAddress(s.To); err != nil {
			return nil, fmt.Errorf("open channel %s: to must be a mailbox like office@clinic.example", s.ID)
		}
	}
	switch {
	case s.Account == "" && s.TokenFile != "":
		return nil, fmt.Errorf("open channel %s: there is a password, but no account", s.ID)
	case s.Account != "" && s.TokenFile == "":
		return nil, fmt.Errorf("open channel %s: the file with the password of %s is missing", s.ID, s.Account)
	case s.Account != "" && e.security == "none" && !loopback(e.host):
		return nil, fmt.Errorf("open channel %s: the password would go to %s in the clear: set security to starttls or tls", s.ID, e.host)
	case s.Account != "":
		if _, err = alert.Secret(s.TokenFile); err != nil {
			return nil, fmt.Errorf("open channel %s: %w", s.ID, err)
		}
	}
	e.tls = &tls.Config{ServerName: e.host, MinVersion: tls.VersionTLS12}
	return e, nil
}

// mailHost splits HOST:PORT or HOST, whose port is then the given one.
func mailHost(server, port string) (host, address string, err error) {
	host = server
	if h, p, err := net.SplitHostPort(server); err == nil {
		host, port = h, p
	}
	host = strings.Trim(host, "[]")
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" || strings.ContainsAny(host, "/@ ") || strings.Contains(host, ":") && net.ParseIP(host) == nil {
		return "", "", errors.New("server must read HOST or HOST:PORT")
	}
	return host, net.JoinHostPort(host, port), nil
}

func (e *email) Name() string { return e.id }

// Notify gives m to the mail server. The receipt is the Message-ID, by which
// the server's log tells the rest.
func (e *email) Notify(ctx context.Context, m alert.Message) (string, error) {
	to := e.to
	if m.To != "" {
		var err error
		if to, err = mail.ParseAddress(m.To); err != nil {
			return "", fmt.Errorf("mail to %q: that is no mailbox", m.To)
		}
	}
	if to == nil {
		return "", errors.New("send mail: it has no receiver")
	}
	text, err := e.compose(m, to, time.Now())
	if err != nil {
		return "", err
	}
	password := ""
	if e.user != "" {
		// Read anew each time, so that a changed one needs no restart.
		if password, err = alert.Secret(e.secret); err != nil {
			return "", err
		}
	}
	if err := e.deliver(ctx, to.Address, password, text); err != nil {
		return "", err
	}
	return e.messageID(m), nil
}

// deliver has one conversation with the server.
func (e *email) deliver(ctx context.Context, to, password string, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, e.limit)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", e.address)
	if err != nil {
		return &alert.TemporaryError{Err: fmt.Errorf("reach mail server: %w", err)}
	}
	defer conn.Close()
	// net/smtp knows no contexts: when ctx ends, every read and write does.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if e.security == "tls" {
		secure := tls.Client(conn, e.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			return e.before("secure the connection", err)
		}
		conn = secure
	}
	c, err := smtp.NewClient(conn, e.host)
	if err != nil {
		return e.before("greet", err)
	}
	if err := c.Hello(helloName(conn)); err != nil {
		return e.before("greet", err)
	}
	if e.security == "starttls" {
		if is, _ := c.Extension("STARTTLS"); !is {
			return fmt.Errorf("secure the connection: mail server %s offers no STARTTLS", e.host)
		}
		if err := c.StartTLS(e.tls); err != nil {
			return e.before("secure the connection", err)
		}
	}
	if e.user != "" {
		auth, err := e.auth(c, password)
		if err != nil {
			return err
		}
		if err := c.Auth(auth); err != nil {
			return e.before("log in as "+e.user, err)
		}
	}
	if err := c.Mail(e.from.Address); err != nil {
		return e.before("send from "+e.from.Address, err)
	}
	if err := c.Rcpt(to); err != nil {
		return e.before("send to "+to, err)
	}
	w, err := c.Data()
	if err != nil {
		return e.before("send", err)
	}
	if _, err := w.Write(text); err != nil {
		return e.before("send", err)
	}
	// Close writes the dot that ends the message. Once that is under way, only
	// the server's answer tells whether it took it.
	if err := w.Close(); err != nil {
		if code := new(textproto.Error); errors.As(err, &code) && code.Code >= 400 {
			return e.before("send", err)
		}
		return &alert.UnknownError{Err: fmt.Errorf("send: mail server %s did not say whether it took the message: %w", e.host, err)}
	}
	// The message is with the server: a farewell that fails changes nothing.
	_ = c.Quit()
	return nil
}

// before tells what an error is worth while the server has not taken the
// message: a 5xx is for good, everything else may be over at the next try.
func (e *email) before(what string, err error) error {
	told := fmt.Errorf("%s: mail server %s: %w", what, e.host, err)
	var code *textproto.Error
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &code) && code.Code >= 500:
		return told
	case errors.As(err, &cert):
		return told
	}
	return &alert.TemporaryError{Err: told}
}

// auth picks the way to log in. It is only called over TLS or on loopback:
// openEmail refuses the rest.
func (e *email) auth(c *smtp.Client, password string) (smtp.Auth, error) {
	_, offered := c.Extension("AUTH")
	ways := strings.Fields(strings.ToUpper(offered))
	for _, way := range ways {
		if way == "PLAIN" {
			return plainLogin{e.user, password}, nil
		}
	}
	for _, way := range ways {
		if way == "LOGIN" {
			return wordLogin{e.user, password}, nil
		}
	}
	return nil, fmt.Errorf("log in as %s: mail server %s offers neither AUTH PLAIN nor LOGIN (%q)", e.user, e.host, offered)
}

// plainLogin is AUTH PLAIN (RFC 4616).
type plainLogin struct{ user, password string }

func (l plainLogin) Start(*smtp.ServerInfo) (string, []byte, error) {
	return "PLAIN", []byte("\x00" + l.user + "\x00" + l.password), nil
}

func (l plainLogin) Next(_ []byte, more bool) ([]byte, error) {
	if more {
		return nil, errors.New("the server asks for more than AUTH PLAIN has")
	}
	return nil, nil
}

// wordLogin is AUTH LOGIN, which no RFC tells of and old servers want: they
// ask for the name, then for the password, in words of their own.
type wordLogin struct{ user, password string }

func (l wordLogin) Start(*smtp.ServerInfo) (string, []byte, error) { return "LOGIN", nil, nil }

func (l wordLogin) Next(ask []byte, more bool) ([]byte, error) {
	switch asked := strings.ToLower(string(ask)); {
	case !more:
		return nil, nil
	case strings.Contains(asked, "user"):
		return []byte(l.user), nil
	case strings.Contains(asked, "pass"):
		return []byte(l.password), nil
	}
	return nil, errors.New("the server asks for neither name nor password")
}

// helloName is what EHLO says we are: the host's full name, or the address
// that the connection comes from (RFC 5321 §4.1.3).
func helloName(conn net.Conn) string {
	if name, err := os.Hostname(); err == nil && strings.Contains(name, ".") && !strings.ContainsAny(name, " \r\n") {
		return name
	}
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	if err != nil {
		return "localhost"
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return "[IPv6:" + ip.String() + "]"
	}
	return "[" + host + "]"
}

// compose writes the mail (RFC 5322): plain text in UTF-8, marked as made by a
// machine (RFC 3834), so that nobody's absence answers it. All mails of a
// trouble refer to the same Message-ID, of a mail that never was: so they
// stand in one thread, whichever of them comes first.
func (e *email) compose(m alert.Message, to *mail.Address, now time.Time) ([]byte, error) {
	var b strings.Builder
	header := func(name, value string) { b.WriteString(name + ": " + value + "\r\n") }
	header("Date", now.Format(time.RFC1123Z))
	header("From", folded(e.from.String()))
	header("To", folded(to.String()))
	header("Subject", folded(mime.QEncoding.Encode("utf-8", alert.Cut(headerLine(m.Title), subjectMost))))
	header("Message-ID", e.messageID(m))
	if m.Key != "" {
		thread := "<trouble." + digest(m.Key) + "@" + e.domain() + ">"
		header("In-Reply-To", thread)
		header("References", thread)
	}
	header("Auto-Submitted", "auto-generated")
	header("X-Auto-Response-Suppress", "All") // what Exchange knows instead
	if m.Purpose.Loud() && m.Severity == alert.Critical {
		header("Importance", "high")
		header("X-Priority", "1")
	}
	if mailLanguage.MatchString(m.Language) {
		header("Content-Language", m.Language)
	}
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	q := quotedprintable.NewWriter(&b)
	if _, err := q.Write([]byte(strings.TrimRight(m.Body, "\n") + "\n")); err != nil {
		return nil, fmt.Errorf("write mail: %w", err)
	}
	if err := q.Close(); err != nil {
		return nil, fmt.Errorf("write mail: %w", err)
	}
	return []byte(b.String()), nil
}

// messageID is the same when the message is tried again, so that a mailbox
// that has it twice can know. The key is in it since a daemon whose record
// was begun anew gives the same ids again.
func (e *email) messageID(m alert.Message) string {
	return "<message." + digest(m.ID+"\x00"+m.Key+"\x00"+m.To) + "@" + e.domain() + ">"
}

// domain is the sender's, which both kinds of Message-ID end with.
func (e *email) domain() string {
	return e.from.Address[strings.LastIndexByte(e.from.Address, '@')+1:]
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return fmt.Sprintf("%x", sum[:10])
}

// headerLine makes what would end a header a space.
func headerLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// folded breaks a header's value between encoded words, of which one has at
// most 75 characters (RFC 2047 §2).
func folded(s string) string { return strings.ReplaceAll(s, "?= =?", "?=\r\n =?") }
