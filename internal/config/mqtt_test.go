package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const oneUnit = "node: pi-1\nprobes: [{id: p, chip: ds18b20, bus: onewire-1, address: 28-00000c8cf9b1, medium: buffered}]\nunits: [{id: u, range: {low: 2, high: 8}, probes: [p]}]\n"

func TestTheBroker(t *testing.T) {
	c, err := Parse("f.yaml", []byte(oneUnit+"mqtt: {broker: 'ssl://b:8883', username: pi-1, password_file: pw, ca_file: ca.pem, cert_file: own.pem, key_file: own.key, catch_up: 50, discovery: true, discovery_prefix: ha/}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := MQTT{Broker: "ssl://b:8883", ClientID: "coldkeep-pi-1", Username: "pi-1", PasswordFile: "pw", CAFile: "ca.pem", CertFile: "own.pem", KeyFile: "own.key", CatchUp: 50, Discovery: true, DiscoveryPrefix: "ha"}
	if !reflect.DeepEqual(c.MQTT, want) {
		t.Errorf("%+v, want %+v", c.MQTT, want)
	}
	for _, broker := range []string{"tcp://b:1883", "mqtt://b:1883", "tls://b:8883", "mqtts://b:8883", "ws://b/mqtt", "wss://b:443/mqtt", "tcp://[::1]:1883"} {
		if _, err := Parse("f.yaml", []byte(oneUnit+"mqtt: {broker: '"+broker+"'}\n")); err != nil {
			t.Errorf("%s: %v", broker, err)
		}
	}
	if c, err := Parse("f.yaml", []byte(oneUnit+"mqtt: {broker: 'tcp://b:1883', username: x, catch_up: 0}\n")); err != nil || c.MQTT.CatchUp != 0 || !strings.Contains(c.Warnings[len(c.Warnings)-1].Error(), "unencrypted") {
		t.Errorf("%v %+v", err, c)
	}
}

// What is wrong is told with its place and what would be right, and no secret
// with it.
func TestWhatIsWrongWithTheBroker(t *testing.T) {
	for text, want := range map[string]string{
		"mqtt: {username: x}\n":                                                         "f.yaml:4:7: mqtt: the broker is missing: `broker: tcp://HOST:1883`",
		"mqtt:\n  broker: localhost:1883\n":                                             "f.yaml:5:11: mqtt.broker: this is no broker; tcp://HOST:1883, ssl://HOST:8883",
		"mqtt:\n  broker: http://b:80\n":                                                "f.yaml:5:11: mqtt.broker: http:// is no way to a broker; tcp://HOST:1883",
		"mqtt:\n  broker: tcp://b\n":                                                    "f.yaml:5:11: mqtt.broker: the port is missing: tcp://b:1883",
		"mqtt:\n  broker: ssl://b\n":                                                    "the port is missing: ssl://b:8883",
		"mqtt:\n  broker: tcp://b:1883/mqtt\n":                                          "tcp:// takes no path",
		"mqtt:\n  broker: tcp://x:hunter2@b:1883\n":                                     "`username: NAME` and `password_file: PATH`",
		"mqtt:\n  broker: 'tcp://x:hunter2@b: 1883'\n":                                  "this is no broker",
		"mqtt:\n  broker: tcp://b:1883\n  ca_file: ca.pem\n":                            "f.yaml:6:12: mqtt.ca_file: a connection to tcp:// is not encrypted and has no certificates; write the broker as ssl://HOST:8883",
		"mqtt:\n  broker: ws://b/x\n  cert_file: c\n  key_file: k\n":                    "f.yaml:6:14: mqtt.cert_file: a connection to ws:// is not encrypted",
		"mqtt:\n  broker: ssl://b:8883\n  cert_file: c.pem\n":                           "f.yaml:6:14: mqtt.cert_file: its key is missing: `key_file: PATH`",
		"mqtt:\n  broker: ssl://b:8883\n  key_file: c.key\n":                            "f.yaml:6:13: mqtt.key_file: its certificate is missing: `cert_file: PATH`",
		"mqtt:\n  broker: ssl://b:8883\n  password_file: pw\n":                          "f.yaml:6:18: mqtt.password_file: a password needs whose it is: `username: NAME`",
		"mqtt:\n  broker: ssl://b:8883\n  password: hunter2\n":                          "`password_file: PATH`",
		"mqtt:\n  broker: tcp://b:1883\n  catch_up: -1\n":                               "f.yaml:6:13: mqtt.catch_up: -1 is no number of messages a second; 500 is, and 0 sets no limit",
		"mqtt:\n  broker: tcp://b:1883\n  catch_up: fast\n":                             "f.yaml:6:13: mqtt.catch_up",
		"mqtt:\n  broker: tcp://b:1883\n  catch_up: 0.5\n":                              "is no number of messages a second",
		"sampling: {interval: 1s}\nmqtt:\n  broker: tcp://b:1883\n  catch_up: 1\n":      "1 a second would hardly ever catch up: 1 probes every 1s bring half of 2; write 2 or more",
		"mqtt:\n  broker: tcp://b:1883\n  discovery_prefix: ha\n":                       "without `discovery: true`",
		"mqtt:\n  broker: tcp://b:1883\n  discovery: true\n  discovery_prefix: 'a/#'\n": "f.yaml:7:21: mqtt.discovery_prefix: \"a/#\" is no topic; Home Assistant's own is homeassistant",
		"mqtt:\n  broker: tcp://b:1883\n  discovery: perhaps\n":                         "f.yaml:6:14: mqtt.discovery",
	} {
		_, err := Parse("f.yaml", []byte(oneUnit+text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the secret is told: %v", text, err)
		}
	}
}

// check looks into certificates and keys.
func TestTheBrokersFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pair := func(name string, ends time.Time) (cert, key string) {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		x := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: ends.Add(-time.Hour), NotAfter: ends}
		der, err := x509.CreateCertificate(rand.Reader, x, x, k.Public(), k)
		if err != nil {
			t.Fatal(err)
		}
		private, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		return file(name+".pem", "CERTIFICATE", der), file(name+".key", "PRIVATE KEY", private)
	}
	cert, key := pair("good", time.Now().Add(time.Hour))
	_, other := pair("other", time.Now().Add(time.Hour))
	past, pastKey := pair("past", time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC))
	for _, c := range []struct{ ca, cert, key, want string }{
		{cert, cert, key, ""},
		{key, cert, key, "good.key holds no certificate in PEM"},
		{cert, key, key, "good.key holds no certificate in PEM"},
		{cert, cert, other, "does not belong to the certificate"},
		{cert, past, pastKey, "has ended on 2025-01-02: get a new one"},
	} {
		cfg, err := Parse("f.yaml", []byte(oneUnit+"mqtt:\n  broker: ssl://b:8883\n  ca_file: "+c.ca+"\n  cert_file: "+c.cert+"\n  key_file: "+c.key+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		problems, warnings := cfg.Files()
		if c.want == "" && len(problems)+len(warnings) > 0 || c.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].Error(), c.want) || !strings.Contains(problems[0].Error(), "f.yaml:")) {
			t.Errorf("%v: %v %v", c, problems, warnings)
		}
	}
}
