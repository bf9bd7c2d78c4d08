package mqtt

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

// writeTime is how long a publish may wait to be written. The window fits into
// the buffers of a connection, so that it is no bound on slow networks: it
// bounds how long paho goes on handing messages to a connection that is gone.
const writeTime = 3 * time.Second

// dialing is how one connection is made. Files are read anew each time.
func (p *Publisher) dialing(t topics) (*paho.ClientOptions, error) {
	o := paho.NewClientOptions().AddBroker(p.o.Broker).SetClientID(p.o.ClientID)
	// Version 4 is 3.1.1; unsaid, a refusal would be tried again as 3.1.
	o.SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).SetOrderMatters(true)
	o.SetKeepAlive(15 * time.Second).SetPingTimeout(5 * time.Second).SetConnectTimeout(p.patience).SetWriteTimeout(min(p.patience, writeTime))
	o.SetBinaryWill(t.status(), []byte("offline"), 1, true)
	secure, err := p.tls()
	if err != nil {
		return nil, err
	}
	o.SetTLSConfig(secure)
	if p.o.Username != "" || p.o.PasswordFile != "" {
		o.SetUsername(p.o.Username)
		if p.o.PasswordFile != "" {
			secret, err := os.ReadFile(p.o.PasswordFile)
			if err != nil {
				return nil, fmt.Errorf("read mqtt password: %w", err)
			}
			o.SetPassword(strings.TrimRight(string(secret), "\r\n"))
		}
	}
	return o, nil
}

// tls is what secures a connection by ssl or wss.
func (p *Publisher) tls() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if p.o.CAFile != "" {
		pem, err := os.ReadFile(p.o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read mqtt ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read mqtt ca: %s holds no certificate in PEM", p.o.CAFile)
		}
	}
	if p.o.CertFile != "" {
		own, err := tls.LoadX509KeyPair(p.o.CertFile, p.o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read mqtt client certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{own}
	}
	return c, nil
}

// refused says in words why there is no connection, where the broker said so.
func (p *Publisher) refused(err error) error {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	text := strings.ToLower(err.Error())
	switch {
	case errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword), errors.Is(err, packets.ErrorRefusedNotAuthorised):
		return fmt.Errorf("connect to mqtt broker: it refuses the user name or the password (mqtt.username, mqtt.password_file): %w", err)
	case errors.Is(err, packets.ErrorRefusedIDRejected):
		return fmt.Errorf("connect to mqtt broker: it refuses the client id %q (mqtt.client_id): %w", p.o.ClientID, err)
	case errors.As(err, &unknown):
		return fmt.Errorf("connect to mqtt broker: nobody whom we trust has signed its certificate (mqtt.ca_file names who signs): %w", err)
	case errors.As(err, &name):
		return fmt.Errorf("connect to mqtt broker: its certificate is for another name than the one in mqtt.broker: %w", err)
	case errors.As(err, &invalid):
		return fmt.Errorf("connect to mqtt broker: its certificate is not valid now; look at its dates and at our clock: %w", err)
	case strings.Contains(text, "remote error: tls"):
		return fmt.Errorf("connect to mqtt broker: it does not accept our certificate (mqtt.cert_file, mqtt.key_file): %w", err)
	}
	return fmt.Errorf("connect to mqtt broker: %w", err)
}

var (
	ownPort = regexp.MustCompile(`[\d.]+:\d+->|\[[0-9a-f:]+\]:\d+->`)
	ownSeq  = regexp.MustCompile(`publish \d+:`)
)

// told is what two causes have in common that are the same to a person: of one
// trouble every attempt has another port of its own and another place in the
// record.
func told(err error) string {
	if err == nil {
		return "the connection ended"
	}
	return ownSeq.ReplaceAllString(ownPort.ReplaceAllString(err.Error(), ""), "publish:")
}
