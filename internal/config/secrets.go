package config

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"coldkeep/alert"
)

// inline are keys under which people write a secret itself, and the key that
// is right for it.
var inline = map[string]string{"token": "token_file", "password": "token_file", "key": "token_file", "api_key": "token_file", "routing_key": "token_file", "secret": "token_file",
	"url": "url_file", "answers_token": "answers_token_file"}

// inlineCure tells what to write instead of a secret, where one of the keys
// known is for its file.
func inlineCure(name string, known []string) string {
	if name == "password" {
		for _, k := range known {
			if k == "password_file" {
				return k
			}
		}
	}
	for _, k := range known {
		if k == inline[name] {
			return k
		}
	}
	return ""
}

// A named is a file that the config names.
type named struct {
	at     value
	path   string
	secret bool
	check  func(path string) error // of what is in it; nil: anything may be
}

// secret notes the path of a file that only the daemon may read.
func (p *reader) secret(v value) string { return p.named(v, true) }

func (p *reader) named(v value, secret bool) string {
	path := v.str("")
	if v.there() && strings.TrimSpace(path) == "" {
		v.bad("the path of a file is missing, as in /etc/coldkeep/ntfy.token")
		return ""
	}
	if path != "" {
		p.cfg.files = append(p.cfg.files, named{at: v, path: path, secret: secret})
	}
	return path
}

// Files looks at the files that the config names: a secret that everybody may
// read is a problem, a file that is not here (it may be on the machine that
// the config is for) a warning.
func (c *Config) Files() (problems, warnings Errors) {
	tell := func(list *Errors, v value, format string, args ...any) {
		w := value{&source{file: c.File}, v.node, v.path}
		w.bad(format, args...)
		*list = append(*list, w.src.errs...)
	}
	for _, f := range c.files {
		path := f.path
		if f.secret {
			path = alert.SecretPath(path)
		}
		st, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && f.secret && !strings.Contains(path, "/"):
			// A credential of the service manager: only the service sees it.
		case err != nil:
			cause := err
			var at *fs.PathError
			if errors.As(err, &at) {
				cause = at.Err
			}
			tell(&warnings, f.at, "%s cannot be looked at here: %v", path, cause)
		case !st.Mode().IsRegular():
			tell(&problems, f.at, "%s is no file", path)
		case f.secret && st.Mode().Perm()&0o007 != 0:
			tell(&problems, f.at, "everybody may read %s, and it holds a secret: `chmod 0640 %s`, and `chown root:coldkeep` it", path, path)
		case st.Size() == 0:
			tell(&problems, f.at, "%s is empty", path)
		case f.check != nil:
			if err := f.check(path); err != nil {
				tell(&problems, f.at, "%s cannot be used: %v", path, err)
			}
		}
	}
	c.certificates(func(path, format string, args ...any) {
		for _, f := range c.files {
			if f.path == path {
				tell(&problems, f.at, format, args...)
				return
			}
		}
	})
	return problems.sorted(), warnings.sorted()
}
