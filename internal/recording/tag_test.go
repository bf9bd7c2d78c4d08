package recording

import (
	"os"
	"strings"
	"testing"

	"coldkeep/sensor"
)

// A shipment logger's report is read as it is: 124 readings, lowest and highest
// as it says itself, and nothing of its certificate.
func TestALoggersReport(t *testing.T) {
	list, err := readAll(t, "testdata/RCPJ00010_02_202211090128.txt", Options{})
	if err != nil {
		t.Fatal(err)
	}
	lo, hi := sensor.Hottest, sensor.AbsoluteZero
	for _, r := range list {
		lo, hi = min(lo, r.Temp), max(hi, r.Temp)
	}
	if len(list) != 124 || lo != 900 || hi != 24300 || list[0].Time.String() != "2022-11-08T04:49:00Z" || list[0].Probe != "p" {
		t.Errorf("%d readings, %s to %s °C, from %s", len(list), lo, hi, list[0].Time)
	}
}

func TestALoggersReportThatCannotBeRead(t *testing.T) {
	if _, err := readAll(t, "testdata/130400191542_202302140605.txt", Options{}); err == nil || !strings.Contains(err.Error(), "days alone") {
		t.Errorf("a report without readings: %v", err)
	}
	text, err := os.ReadFile("testdata/RCPJ00010_02_202211090128.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(t, file(t, string(text)), Options{Probes: []string{"p", "q"}}); err == nil || !strings.Contains(err.Error(), "names no probe") {
		t.Errorf("two probes: %v", err)
	}
	for old, c := range map[string]struct{ new, want string }{
		"\t2022-11-08 05:09\t2.1\t": {"\t2022-11-08 05:09\t--.-\t", ""}, // a drop-out is a fault, no zero
		"\t2022-11-08 05:19\t2.1\t": {"\t2022-11-08 05:99\t2.1\t", "is no time"},
		"\t2022-11-08 05:29\t2.4\t": {"\t2022-11-08 05:29\t2,4\t", "decimal comma"},
		"\t2022-11-08 05:39\t2.6\t": {"\t2022-11-08 05:39", "cut off"},
		"yyyy-MM-dd hh:mm\tT\tOut":  {"dd.MM.yyyy hh:mm\tT\tOut", "are expected"},
	} {
		if !strings.Contains(string(text), old) {
			t.Fatalf("no %q in the report", old)
		}
		list, err := readAll(t, file(t, strings.Replace(string(text), old, c.new, 1)), Options{})
		switch {
		case c.want == "" && (err != nil || len(list) != 124 || list[2].Good()):
			t.Errorf("%q: %v", c.new, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q: %v, want %q", c.new, err, c.want)
		}
	}
}
