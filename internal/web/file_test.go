package web

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A file comes with the same right as a command, whole, and goes as a file to
// keep, never as a page.
func TestFiles(t *testing.T) {
	d := newDesk()
	const token = "a-token-of-some-length"
	srv := serve(t, d, false, token)
	send := func(token string, data []byte) (int, string) {
		req, err := http.NewRequest("POST", srv.URL+"/api/v1/files", bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	data := bytes.Repeat([]byte("<script>alert(1)</script>\n"), 40_000) // 1 MB: more than a command may be
	for _, wrong := range []string{"", "another-token-of-that-length"} {
		if status, body := send(wrong, data); status != http.StatusUnauthorized {
			t.Errorf("with the token %q: %d %s", wrong, status, body)
		}
	}
	if len(d.files) != 0 {
		t.Error("a file was kept without the token")
	}
	status, body := send(token, data)
	var got struct {
		File struct {
			SHA256 string
			Bytes  int
		}
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 || got.File.Bytes != len(data) || len(got.File.SHA256) != 64 {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	resp, err := http.Get(srv.URL + "/api/v1/files/" + strings.ToUpper(got.File.SHA256))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(b, data) {
		t.Errorf("%d bytes came back: %v", len(b), err)
	}
	for key, want := range map[string]string{"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff",
		"Content-Disposition": `attachment; filename="` + got.File.SHA256 + `"`} {
		if resp.Header.Get(key) != want {
			t.Errorf("%s: %q", key, resp.Header.Get(key))
		}
	}
	get(t, srv.URL+"/api/v1/files/"+strings.Repeat("0", 64), http.StatusNotFound)
	if status, body := send(token, make([]byte, 20<<20+1)); status != http.StatusRequestEntityTooLarge || !strings.Contains(body, "20 MB") {
		t.Errorf("too large: %d %s", status, body)
	}
	if status, _ := send(token, make([]byte, 20<<20)); status != 200 {
		t.Errorf("20 MB: %d", status)
	}
}
