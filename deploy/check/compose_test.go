package check

import (
	"context"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// The compose file is what Docker Compose's own loader takes, schema and all,
// and what it mounts is there.
func TestTheComposeFileIsConfined(t *testing.T) {
	o, err := cli.NewProjectOptions([]string{"../compose/compose.yaml"}, cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.LoadProject(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"alertmanager", "coldkeep", "grafana", "mosquitto", "prometheus"}
	names := p.ServiceNames()
	slices.Sort(names)
	if !slices.Equal(names, want) {
		t.Fatalf("services %q, want %q", names, want)
	}
	tag := regexp.MustCompile(`^[a-z0-9./-]+:(v?[0-9]+\.[0-9]+\.[0-9]+(@sha256:[0-9a-f]{64})?|local)$`)
	for _, s := range p.Services {
		if !tag.MatchString(s.Image) || s.Image == s.Name+":local" && s.Build == nil {
			t.Errorf("%s: the image %s is not of one version", s.Name, s.Image)
		}
		if !s.ReadOnly || s.Privileged || !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.SecurityOpt) != 1 {
			t.Errorf("%s is not confined", s.Name)
		}
		if s.HealthCheck == nil || len(s.HealthCheck.Test) == 0 || s.HealthCheck.Timeout == nil {
			t.Errorf("%s is not asked for its health", s.Name)
		}
		if len(s.Ports) == 0 {
			t.Errorf("%s has no port", s.Name)
		}
		for _, x := range s.Ports {
			if x.HostIP != "127.0.0.1" {
				t.Errorf("%s is open at %q", s.Name, x.HostIP)
			}
		}
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				if _, ok := p.Volumes[v.Source]; !ok {
					t.Errorf("%s: no volume %s", s.Name, v.Source)
				}
				continue
			}
			if _, err := os.Stat(v.Source); err != nil || !v.ReadOnly {
				t.Errorf("%s mounts %s (%v), read-only %v", s.Name, v.Source, err, v.ReadOnly)
			}
		}
		if s.Build != nil {
			for _, path := range []string{s.Build.Context, s.Build.Context + "/" + s.Build.Dockerfile} {
				if _, err := os.Stat(path); err != nil {
					t.Errorf("%s is built of what is not there: %v", s.Name, err)
				}
			}
		}
	}
}
