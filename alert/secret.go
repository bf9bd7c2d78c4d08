package alert

import (
	"fmt"
	"os"
	"strings"
)

// Secret reads a secret from a file. A bare name is a systemd credential
// ($CREDENTIALS_DIRECTORY). A file that others may read is refused: it is no
// secret.
func Secret(path string) (string, error) {
	path = SecretPath(path)
	st, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	if st.Mode().Perm()&0o007 != 0 {
		return "", fmt.Errorf("read secret %s: everybody may read it: chmod 0640 it", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	s := strings.TrimSpace(string(b))
	if s == "" {
		return "", fmt.Errorf("read secret %s: it is empty", path)
	}
	return s, nil
}

// SecretPath is where a secret lies that the config names.
func SecretPath(path string) string {
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" && !strings.Contains(path, "/") {
		return dir + "/" + path
	}
	return path
}
