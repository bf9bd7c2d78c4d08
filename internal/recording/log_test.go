package recording

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"coldkeep/internal/coldchain"
	"coldkeep/sensor"
)

func readLog(t testing.TB, path string, o LogOptions) (coldchain.Readout, []sensor.Reading, error) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return ReadLog(data, o)
}

func extremes(list []sensor.Reading) (lo, hi sensor.Temp) {
	lo, hi = sensor.Hottest, sensor.AbsoluteZero
	for _, r := range list {
		if r.Good() {
			lo, hi = min(lo, r.Temp), max(hi, r.Temp)
		}
	}
	return lo, hi
}

// What the instruments of the recordings say of themselves is taken along.
func TestLogsSayWhatTheyAre(t *testing.T) {
	for name, want := range map[string]struct {
		format, logger, tripped string
		good, faults            int
		low, high               sensor.Temp // of what was read
		limits                  [2]sensor.Temp
		mkt                     float64
		interval                float64
		first, last             string
	}{
		"testdata/RCPJ00010_02_202211090128.txt": {"qtag", "RCPJ00010", "above 8.0 °C for 30 min: alarm 2022-11-08 22:20; above 8.0 °C for 60 min in all: alarm 2022-11-08 22:50; " +
			"below 2.0 °C for 60 min in all: alarm 2022-11-08 07:34; below 2.0 °C for 30 min: alarm 2022-11-08 12:46; below 2.0 °C for 30 min: alarm 2022-11-08 15:22; " +
			"below 2.0 °C for 30 min: alarm 2022-11-08 16:09", 124, 0, 900, 24300, [2]sensor.Temp{2000, 8000}, 10.5, 600, "2022-11-08T04:49:00Z", "2022-11-09T01:19:00Z"},
		"testdata/RCPJ00010_03_202304201359.txt": {"qtag", "RCPJ00010", "above 8.0 °C for 30 min: alarm 2023-04-17 16:03; above 8.0 °C for 60 min in all: alarm 2023-04-17 16:33", 424, 0, 9700, 12700,
			[2]sensor.Temp{2000, 8000}, 10.4, 600, "2023-04-17T15:23:00Z", "2023-04-20T13:53:00Z"},
		"testdata/100800001215_202304201410.txt": {"fridgetag", "100800001215", "above -60.0 °C for 60 min: alarm 2023-04-20 00:00; above -60.0 °C for 60 min: alarm 2023-04-19 00:00; " +
			"above -60.0 °C for 60 min: alarm 2023-04-18 00:00; above -60.0 °C for 60 min: alarm 2023-04-17 17:06", 835, 6, -17000, -9600, [2]sensor.Temp{-90000, -60000}, 0, 300,
			"2023-04-17T16:06:00Z", "2023-04-20T14:06:00Z"},
	} {
		r, list, err := readLog(t, name, LogOptions{Name: "f", Zone: "UTC", Location: time.UTC})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		lo, hi := extremes(list)
		if r.Format != want.format || r.Logger != want.logger || r.Tripped != want.tripped || r.Good != want.good || r.Faults != want.faults || lo != want.low || hi != want.high || r.IntervalS != want.interval {
			t.Errorf("%s: %+v\n%s to %s", name, r, lo, hi)
		}
		if r.First.String() != want.first || r.Last.String() != want.last || r.Low == nil || r.High == nil || *r.Low != want.limits[0] || *r.High != want.limits[1] {
			t.Errorf("%s: %s to %s, limits %v %v", name, r.First, r.Last, r.Low, r.High)
		}
		if want.mkt != 0 && (r.MKT == nil || math.Abs(*r.MKT-want.mkt) > 1e-9) {
			t.Errorf("%s: mean kinetic temperature %v", name, r.MKT)
		}
		if list[0].Probe != "logger-"+want.logger || len(list) != want.good+want.faults {
			t.Errorf("%s: %d readings of %s", name, len(list), list[0].Probe)
		}
	}
	r, list, err := readLog(t, "../../cmd/coldkeep/testdata/biovoice_T301_bv_decoded_utc.csv", LogOptions{Name: "f", Zone: "UTC", Location: time.UTC, Logger: "T301"})
	if lo, hi := extremes(list); err != nil || r.Format != "biovoice" || r.Good != 3091 || lo != 3900 || hi != 23800 || r.IntervalS != 300 {
		t.Errorf("biovoice: %v, %+v, %s to %s", err, r, lo, hi)
	}
}

const logtag = `"LogTag Analyzer export"
"Model","TRED30-16R"
"Serial Number","A0C1-99 7/Z"
"Upper alert limit","8,0 °C"
"Lower alert limit","2,0 °C"
"Alert status","ALERT"
"Mean kinetic temperature","6.1 °C"

"Date","Time","Elapsed Time","Reading (°C)"
"13/05/2026","23:50:00","0:00:00","5,3"
"14/05/2026","00:00:00","0:10:00","--.-"
"14/05/2026","00:10:00","0:20:00","-0,25"
`

const elitech = "Elitech RC-5+\nSerial Number:;EF7-001\nTime Zone:;UTC+08:00\nHigh Alarm Limit:;46.4°F\nLow Alarm Limit:;35.6°F\nAlarm Status:;OK\n\n" +
	"No.;Time;Temperature(°F)\n1;2026-05-02 08:00:00;41,0\n2;2026-05-02 08:05:00;32\n3;2026-05-02 08:10:00;-40\n"

func TestLogsOfOtherMakers(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	r, list, err := ReadLog([]byte(logtag), LogOptions{Name: "f", Zone: "Europe/London", Location: london})
	if err != nil {
		t.Fatal(err)
	}
	if r.Format != "logtag" || r.Logger != "A0C1-99 7/Z" || list[0].Probe != "logger-A0C1-99-7-Z" || *r.Low != 2000 || *r.High != 8000 || r.Tripped != "Alert status: ALERT" || *r.MKT != 6.1 ||
		r.Good != 2 || r.Faults != 1 || list[0].Temp != 5300 || list[1].Good() || list[2].Temp != -250 || r.First.String() != "2026-05-13T22:50:00Z" || r.Zone != "Europe/London" {
		t.Errorf("logtag: %+v %v", r, list)
	}
	r, list, err = ReadLog([]byte(elitech), LogOptions{Name: "f"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Format != "elitech" || r.Logger != "EF7-001" || *r.Low != 2000 || *r.High != 8000 || r.Tripped != "" || list[0].Temp != 5000 || list[1].Temp != 0 || list[2].Temp != -40000 ||
		r.First.String() != "2026-05-02T00:00:00Z" || r.Zone != "UTC+08:00" || r.IntervalS != 300 {
		t.Errorf("elitech: %+v %v", r, list)
	}
	utf16 := []byte{0xff, 0xfe}
	for _, c := range elitech {
		utf16 = append(utf16, byte(c), byte(c>>8))
	}
	if x, _, err := ReadLog(utf16, LogOptions{Name: "f"}); err != nil || x.Good != r.Good || *x.High != *r.High {
		t.Errorf("as UTF-16: %+v, %v", x, err)
	}
	latin := strings.ReplaceAll(elitech, "°", "\xb0")
	if x, _, err := ReadLog([]byte(latin), LogOptions{Name: "f"}); err != nil || x.Good != r.Good || *x.High != *r.High {
		t.Errorf("as Latin-1: %+v, %v", x, err)
	}
	nameless := "time,temperature_c\n2026-05-02T10:00:00Z,5\n2026-05-02T10:10:00Z,5\n"
	if x, list, err := ReadLog([]byte(nameless), LogOptions{Name: "f"}); err != nil || len(x.Logger) != 13 || !strings.HasPrefix(x.Logger, "file-") || list[0].Probe != "logger-"+x.Logger {
		t.Errorf("without a name: %+v, %v", x, err)
	}
	r, list, err = ReadLog([]byte("time,probe,temperature_c,fault\n2026-05-02T10:00:00Z,spare-1,5.25,\n1777716300,spare-1,,unplugged\n2026-05-02T10:10:00+01:00,spare-1,5,\n"), LogOptions{Name: "f"})
	if err != nil || r.Format != "csv" || r.Logger != "spare-1" || r.Zone != "UTC" || r.First.String() != "2026-05-02T09:10:00Z" || len(list) != 3 || list[2].Fault != "unplugged" {
		t.Errorf("csv: %+v %v %v", r, list, err)
	}
}

// Dates are read only where it is known what they mean.
func TestLogDates(t *testing.T) {
	for name, c := range map[string]struct{ rows, dates, want string }{
		"a day beyond 12":          {"01/05/2026 10:00,5\n13/05/2026 10:00,5\n", "", "2026-05-01T10:00:00Z"},
		"a month first":            {"05/01/2026 10:00,5\n05/13/2026 10:00,5\n", "", "2026-05-01T10:00:00Z"},
		"both":                     {"13/05/2026 10:00,5\n05/13/2026 10:10,5\n", "", "which is right"},
		"neither":                  {"03/04/2026 10:00,5\n03/04/2026 10:10,5\n", "", "--dates dmy"},
		"told: day first":          {"03/04/2026 10:00,5\n03/04/2026 10:10,5\n", DayFirst, "2026-04-03T10:00:00Z"},
		"told: month first":        {"03/04/2026 10:00,5\n03/04/2026 10:10,5\n", MonthFirst, "2026-03-04T10:00:00Z"},
		"told wrongly":             {"13/04/2026 10:00,5\n03/04/2026 10:10,5\n", MonthFirst, "not what the file has"},
		"the same either way":      {"05/05/2026 10:00,5\n05/05/2026 10:10,5\n", "", "2026-05-05T10:00:00Z"},
		"dots":                     {"03.04.2026 10:00,5\n03.04.26 10:10:30,5\n", "", "2026-04-03T10:00:00Z"},
		"the year first":           {"2026/4/3 9:05,5\n2026/4/3 9:15,5\n", "", "2026-04-03T09:05:00Z"},
		"a name":                   {"03-Apr-2026 10:00,5\n03 April 2026 10:10,5\n", "", "2026-04-03T10:00:00Z"},
		"a name first":             {"\"Apr 3, 2026 10:00 PM\",5\n\"Apr 3, 2026 10:10 PM\",5\n", "", "2026-04-03T22:00:00Z"},
		"12 hours":                 {"13/04/2026 12:05 AM,5\n13/04/2026 12:15:00 am,5\n", "", "2026-04-13T00:05:00Z"},
		"a day that there is none": {"31/04/2026 10:00,5\n", "", "no day of the calendar"},
		"13 o'clock in 12":         {"13/04/2026 13:05 PM,5\n", "", "12-hour"},
	} {
		r, _, err := ReadLog([]byte("time,temperature_c\n"+c.rows), LogOptions{Name: "f", Zone: "UTC", Location: time.UTC, Logger: "A", Dates: c.dates})
		// Those days apart are refused for that; the dates come first.
		if err != nil && strings.Contains(err.Error(), "apart") {
			err = nil
		}
		if err == nil && r.First.String() != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %s, %v; want %s", name, r.First, err, c.want)
		}
	}
}

// What cannot be read says what is wrong and what would be right.
func TestLogsThatAreRefused(t *testing.T) {
	tag, err := os.ReadFile("testdata/RCPJ00010_02_202211090128.txt")
	if err != nil {
		t.Fatal(err)
	}
	days, err := os.ReadFile("testdata/130400191542_202302140605.txt")
	if err != nil {
		t.Fatal(err)
	}
	const rows = "2026-05-02 10:00,5\n2026-05-02 10:10,5\n"
	for name, c := range map[string]struct {
		text string
		o    LogOptions
		want string
	}{
		"a report without a zone":   {string(tag), LogOptions{}, "--timezone Europe/London"},
		"a table without a zone":    {"time,temperature_c\n" + rows, LogOptions{Logger: "A"}, "--timezone Europe/London"},
		"another logger":            {string(tag), LogOptions{Location: time.UTC, Logger: "B7"}, "not of B7"},
		"days alone":                {string(days), LogOptions{Location: time.UTC}, "detailed report"},
		"a picture":                 {"\x89PNG\x00\x01", LogOptions{}, "no text"},
		"empty":                     {"", LogOptions{}, "columns"},
		"a letter":                  {"Dear clinic,\nhere is the recording.\n", LogOptions{}, "columns"},
		"two channels":              {"Time,Temp 1 (°C),Temp 2 (°C)\n" + rows, LogOptions{}, "Temp 1 (°C), Temp 2 (°C)"},
		"two loggers":               {"time,probe,temperature_c\n2026-05-02T10:00:00Z,a,5\n2026-05-02T10:00:00Z,b,5\n", LogOptions{}, "of a and of b"},
		"no readings":               {"time,temperature_c\n", LogOptions{Location: time.UTC, Logger: "A"}, "no readings"},
		"only drop-outs":            {"time,temperature_c\n2026-05-02 10:00,--.-\n", LogOptions{Location: time.UTC, Logger: "A"}, "no temperatures"},
		"one reading":               {"time,temperature_c\n2026-05-02 10:00,5\n", LogOptions{Location: time.UTC, Logger: "A"}, "no interval"},
		"one a day":                 {"time,temperature_c\n2026-05-02 10:00,5\n2026-05-03 10:00,5\n", LogOptions{Location: time.UTC, Logger: "A"}, "24h0m0s apart"},
		"a decimal comma":           {"time,temperature_c\n2026-05-02 10:00,5,3\n", LogOptions{Location: time.UTC, Logger: "A"}, "semicolons"},
		"a line cut off":            {"time,temperature_c\n2026-05-02 10:00,5\n2026-05-0", LogOptions{Location: time.UTC, Logger: "A"}, "f:3: 1 fields"},
		"a time that is none":       {"time,temperature_c\n2026-05-02 10:00,5\nyesterday,5\n", LogOptions{Location: time.UTC, Logger: "A"}, `f:3: "yesterday" is no time`},
		"an hour that is skipped":   {"time,temperature_c\n2026-03-29 01:30,5\n", LogOptions{Location: mustLoad(t, "Europe/London"), Logger: "A"}, "skip"},
		"a comma and a point":       {"time;temperature_c\n2026-05-02 10:00;1,005.3\n", LogOptions{Location: time.UTC, Logger: "A"}, "decimal comma"},
		"a quote that never closes": {"time,temperature_c\n\"2026-05-02 10:00,5\n", LogOptions{Location: time.UTC, Logger: "A"}, "quote"},
	} {
		c.o.Name = "f"
		if _, _, err := ReadLog([]byte(c.text), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func mustLoad(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// One instant twice: a temperature beats a fault, of two temperatures the first
// stays. An hour that comes twice is told apart.
func TestLogsAreInOrder(t *testing.T) {
	r, list, err := ReadLog([]byte("time,temperature_c\n2026-10-25 01:50,5\n2026-10-25 01:20,6\n2026-10-25 01:50,--\n2026-10-25 01:50,7\n2026-10-25 01:40,--\n2026-10-25 01:40,8\n"),
		LogOptions{Name: "f", Location: time.UTC, Logger: "A"})
	if err != nil || len(list) != 3 || list[0].Temp != 6000 || list[1].Temp != 8000 || list[2].Temp != 5000 || r.Conflicts != 1 || r.Good != 3 {
		t.Errorf("%+v %v %v", r, list, err)
	}
	_, list, err = ReadLog([]byte("time,temperature_c\n2026-10-25 01:10,5\n2026-10-25 01:50,6\n2026-10-25 01:20,7\n2026-10-25 02:10,8\n"),
		LogOptions{Name: "f", Location: mustLoad(t, "Europe/London"), Logger: "A"})
	if err != nil || list[2].Time.String() != "2026-10-25T01:20:00Z" || list[3].Time.String() != "2026-10-25T02:10:00Z" {
		t.Errorf("%v %v", list, err)
	}
}

// Whatever a file holds, it is read or refused in words; what is read is in
// order, each instant once, and counted.
func FuzzReadLog(f *testing.F) {
	for _, name := range []string{"testdata/RCPJ00010_02_202211090128.txt", "testdata/100800001215_202304201410.txt", "testdata/130400191542_202302140605.txt"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:min(len(data), 6000)], true, "")
	}
	f.Add([]byte(logtag), true, "")
	f.Add([]byte(elitech), false, "")
	f.Add([]byte("time_as_recorded,temp_c\n2020-05-30T00:00:56,4.6\n2020-05-30T00:05:56,--.-\n"), true, "")
	f.Add([]byte("time,probe,temperature_c,fault\n2026-05-02T10:00:00Z,p,5,\n1777716300,p,,crc\n"), false, "")
	f.Add([]byte("Date;Time;Temp °F\n03/04/26;9:05 PM;41,5\n03/04/26;9:15 PM;41,5\n"), true, "mdy")
	f.Fuzz(func(t *testing.T, data []byte, zone bool, dates string) {
		o := LogOptions{Name: "f", Logger: "", Dates: dates}
		if zone {
			o.Zone, o.Location = "Europe/London", mustLoad(t, "Europe/London")
		}
		r, list, err := ReadLog(data, o)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("refused without words")
			}
			return
		}
		if r.Good+r.Faults != len(list) || r.Good == 0 || r.First != list[0].Time || r.Last != list[len(list)-1].Time || r.Logger == "" || r.Format == "" || !(r.IntervalS > 0 && r.IntervalS <= 3600) {
			t.Errorf("%+v of %d readings", r, len(list))
		}
		if !coldchain.ValidID(list[0].Probe) {
			t.Errorf("%q is no id", list[0].Probe)
		}
		for i, x := range list {
			if i > 0 && x.Time <= list[i-1].Time {
				t.Errorf("reading %d is not behind the one before it", i)
			}
			if x.Good() && (x.Temp < sensor.AbsoluteZero || x.Temp > sensor.Hottest) {
				t.Errorf("%s is no temperature", x.Temp)
			}
		}
	})
}
