package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The file with TLS and passwords is looked into: `check` tells what a server
// would not start with.
func TestTheWebConfigurationIsLookedInto(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web.yml")
	text := clinic + "\nweb: {listen: \"127.0.0.1:8080\", config_file: " + path + "}\n"
	for _, x := range []struct{ content, problem, warning string }{
		{"basic_auth_users: {prometheus: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi}\n", "", ""},
		{"basic_auth_user: {a: b}\n", "field basic_auth_user not found", ""},
		{"basic_auth_users: {prometheus: in-clear}\n", "hashedSecret too short", ""},
		{"tls_server_config: {cert_file: not-here.crt, key_file: not-here.key}\n", "not-here.crt", ""},
		{"", "is empty", ""},
		{"-", "", "no such file"},
	} {
		if err := os.WriteFile(path, []byte(x.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if x.content == "-" {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		c := parsed(t, text)
		if c.Web.ConfigFile != path {
			t.Fatalf("config_file is %q", c.Web.ConfigFile)
		}
		problems, warnings := c.Files()
		for _, y := range []struct {
			got  Errors
			want string
		}{{problems, x.problem}, {warnings, x.warning}} {
			if (y.want == "") != (len(y.got) == 0) || y.want != "" && !strings.Contains(y.got[0].Error(), y.want) {
				t.Errorf("%q: %v, want %q", x.content, y.got, y.want)
			}
		}
		if strings.Contains(problemText(problems), "in-clear") {
			t.Errorf("a password is told: %v", problems)
		}
	}
}

func problemText(list Errors) string {
	var b strings.Builder
	for _, e := range list {
		b.WriteString(e.Error())
	}
	return b.String()
}
