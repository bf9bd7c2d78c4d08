// Package config reads the operator's file: strictly, with a place and a cure
// for everything that is wrong, all of it at once. It is not the record: what
// judges is handed on to coldchain, and goes from there into the journal.
package config

//go:generate go run ./schema ../../configs/schema.json

import (
	"fmt"
	"os"
	"strings"
	"time"

	"coldkeep/alert"
	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

// A Config is the operator's file, checked.
type Config struct {
	File     string
	Site     Site
	Node     string
	Storage  Storage
	Sampling time.Duration // > 0
	Probes   []sensor.Probe
	Units    []coldchain.Unit
	Contacts []sensor.Contact
	Profiles []coldchain.Profile
	Products map[string]string // GTIN of 14 digits -> profile
	MQTT     MQTT
	Web      Web
	Ask      Ask
	Duty     alert.Duty       // who is told of alarms
	Channels []alert.Settings // by which ways
	// Words is a file with the clinic's own words of messages; "" none.
	Words     string
	Heartbeat Heartbeat
	Warnings  Errors // nothing is wrong, but a person should look

	files []named
	// undated are judging probes of whose calibration no end is stated.
	undated Errors
}

// Site is where the daemon runs.
type Site struct {
	ID, Name string
	Timezone string
	Location *time.Location
}

// Storage is where the record is kept.
type Storage struct{ Dir string }

// MQTT says where to publish; no Broker: nowhere.
type MQTT struct {
	Broker, ClientID, Username, PasswordFile string
	CAFile, CertFile, KeyFile                string   // of ssl and wss
	CatchUp                                  int      // messages of a backlog in a second; 0: no limit
	Discovery                                bool     // Home Assistant is told of the units
	DiscoveryPrefix                          string   // under which
	Commands                                 bool     // people answer alarms over it
	Peers                                    []string // nodes of the site that this one watches
}

// Web says where pages and metrics are served. ConfigFile holds TLS and
// passwords, in the form of Prometheus' exporters; "" serves plainly.
// URL is how others reach the pages, for what is printed.
type Web struct{ Listen, CommandTokenFile, ConfigFile, URL string }

// Ask is the role and phone that people are sent to.
type Ask struct{ Name, Phone string }

// Heartbeat says whom to tell that all is well; no URLFile: nobody. The file
// holds the URL.
type Heartbeat struct{ URLFile string }

// Load reads and checks a file. What is wrong with its content comes as Errors.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	return Parse(path, data)
}

// Judging gives what judges: units with the alarms that every unit has, and
// profiles.
func (c *Config) Judging() coldchain.Config {
	var j coldchain.Config
	for _, u := range c.Units {
		j.Units = append(j.Units, u.WithDefaults())
	}
	j.Profiles = c.Profiles
	return j
}

// Place tells the site as pages and messages name it.
func (c *Config) Place() coldchain.Site {
	return coldchain.Site{ID: c.Site.ID, Name: c.Site.Name, Timezone: c.Site.Timezone, AskName: c.Ask.Name, AskPhone: c.Ask.Phone}
}

// MaxGapDefault is how long a reading stands where the unit does not say:
// three sampling intervals, at least two minutes.
func MaxGapDefault(interval time.Duration) time.Duration {
	return max(3*interval, 2*time.Minute)
}

// instrument tells one probe's hardware from another's.
func instrument(p sensor.Probe) string {
	parts := []string{p.Chip}
	if p.Settings.Element != "" {
		parts = append(parts, p.Settings.Element)
	}
	return strings.Join(append(parts, p.Place()), " ")
}
