package recording

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coldkeep/sensor"
)

func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "readings.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func readAll(t testing.TB, path string, o Options) (list []sensor.Reading, err error) {
	t.Helper()
	if o.Probes == nil {
		o.Probes = []string{"p"}
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	f, err := Open(path, o)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for {
		var r sensor.Reading
		more, err := f.Next(&r)
		if err != nil || !more {
			return list, err
		}
		list = append(list, r)
	}
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"5": "5.0", "5.0": "5.0", "-0.5": "-0.5", "8.0004": "8.0", "8.0005": "8.001", "-8.0005": "-8.001", "-8.00049": "-8.0", "1e1": "10.0", "+3.25": "3.25",
		"": "missing", "NaN": "not_a_number", "Inf": "not_a_number", "-300": "not_a_number", "1000.1": "not_a_number", "warm": "not_a_number", "--.-": "not_a_number",
	} {
		list, err := readAll(t, file(t, "time,temperature_c\n2026-05-02T00:00:00Z,"+text+"\n"), Options{})
		if err != nil || len(list) != 1 {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got := string(list[0].Fault)
		if list[0].Good() {
			got = list[0].Temp.String()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestTimes(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"2026-05-02T10:36:00Z": "2026-05-02T10:36:00Z", "2026-05-02T10:36:00.25+01:00": "2026-05-02T09:36:00.25Z", "2026-05-02 10:36": "2026-05-02T09:36:00Z",
		"2026-05-02T10:36:07": "2026-05-02T09:36:07Z", "1777718160": "2026-05-02T10:36:00Z", "1777718160000": "2026-05-02T10:36:00Z",
		"2026-03-29 01:30": "", "2026-13-01T00:00:00Z": "", "yesterday": "", "": "",
	} {
		list, err := readAll(t, file(t, "time,temperature_c\n"+text+",5\n"), Options{Location: london})
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), ":2:") {
				t.Errorf("%q: %v, want an error with its line", text, err)
			}
			continue
		}
		if err != nil || list[0].Time.String() != want {
			t.Errorf("%q: %v %v, want %s", text, list, err, want)
		}
	}
	// The hour that comes twice is the first pass until the times run back.
	list, err := readAll(t, file(t, "time,temperature_c\n2026-10-25 01:10,5\n2026-10-25 01:50,5\n2026-10-25 01:10,5\n2026-10-25 02:10,5\n"), Options{Location: london})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"2026-10-25T00:10:00Z", "2026-10-25T00:50:00Z", "2026-10-25T01:10:00Z", "2026-10-25T02:10:00Z"} {
		if got := list[i].Time.String(); got != want {
			t.Errorf("line %d: %s, want %s", i+2, got, want)
		}
	}
}

func TestFilesAsTheyCome(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		n    int
		want string // of the error
	}{
		"BOM and CRLF":       {"\ufefftime,temperature_c\r\n2026-05-02T00:00:00Z,5\r\n", 1, ""},
		"quoted":             {"\"time\",\"temperature_c\"\n\"2026-05-02T00:00:00Z\",\"5\"\n", 1, ""},
		"other columns":      {"id,temperature_c,time\n7,5,2026-05-02T00:00:00Z\n", 1, ""},
		"a fault":            {"time,temperature_c,fault\n2026-05-02T00:00:00Z,,unplugged\n", 1, ""},
		"no column":          {"time,temp\n2026-05-02T00:00:00Z,5\n", 0, "temperature_c"},
		"a column twice":     {"time,temperature_c,time\n2026-05-02T00:00:00Z,5,x\n", 0, "time"},
		"decimal comma":      {"time,temperature_c\n2026-05-02T00:00:00Z,5,1\n", 0, ":2:"},
		"too few fields":     {"time,temperature_c\n2026-05-02T00:00:00Z\n", 0, ":2:"},
		"an unknown probe":   {"time,probe,temperature_c\n2026-05-02T00:00:00Z,q,5\n", 0, ":2:"},
		"all errors at once": {"time,temperature_c\nx,5\n2026-05-02T00:00:00Z,5\ny,5\n", 0, ":4:"},
		"out of order":       {"time,temperature_c\n2026-05-02T00:10:00Z,5\n2026-05-02T00:00:00Z,6\n", 2, ""},
		"empty":              {"", 0, "empty"},
	} {
		list, err := readAll(t, file(t, c.text), Options{})
		if c.want == "" && (err != nil || len(list) != c.n) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %d readings, %v; want %d, %q", name, len(list), err, c.n, c.want)
		}
		for i := 1; i < len(list); i++ {
			if list[i].Time < list[i-1].Time {
				t.Errorf("%s: not in order of time", name)
			}
		}
	}
	list, err := readAll(t, file(t, "time,temperature_c\nx,5\n2026-05-02T00:00:00Z,5\n"), Options{SkipBad: true})
	if err != nil || len(list) != 1 {
		t.Errorf("skipping bad lines: %d, %v", len(list), err)
	}
}

// Whatever a file holds, it is read or refused in words, and what is read is
// in order of time.
func FuzzFile(f *testing.F) {
	f.Add("time,temperature_c\n2026-05-02T00:00:00Z,5\n")
	f.Add("time,temperature_c,probe,fault\n1777718160,5.25,p,\n1777718170,,p,crc\n\"1777718100\",x,P,\n")
	f.Add("Device: Q-tag X\nData:\n\tyyyy-MM-dd hh:mm\tT\tOut of limits\n\t2022-11-08 04:49\t4.4\t\n\t2022-11-08 04:59\t--.-\tx\nCert:\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := readAll(t, file(t, text), Options{})
		if err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
		for i := 1; i < len(list); i++ {
			if list[i].Time < list[i-1].Time {
				t.Errorf("reading %d comes before the one before it", i)
			}
		}
	})
}

func BenchmarkFile(b *testing.B) {
	var text strings.Builder
	text.WriteString("time,probe,temperature_c\n")
	at := time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC)
	const n = 200_000
	for i := range n {
		fmt.Fprintf(&text, "%s,p,%d.%03d\n", at.Add(time.Duration(i)*10*time.Second).Format(time.RFC3339), 4+i%3, i%1000)
	}
	path := file(b, text.String())
	b.ReportAllocs()
	for b.Loop() {
		f, err := Open(path, Options{Probes: []string{"p"}, Location: time.UTC})
		if err != nil {
			b.Fatal(err)
		}
		var r sensor.Reading
		for more := true; more; {
			if more, err = f.Next(&r); err != nil {
				b.Fatal(err)
			}
		}
		f.Close()
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "readings/s")
}
