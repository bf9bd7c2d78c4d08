package gs1

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// The vectors are GS1's own, and others' that are named in the file.
func TestVectors(t *testing.T) {
	f, err := os.Open("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line := sc.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		n++
		key, rest, _ := strings.Cut(line, " ")
		rest = strings.ReplaceAll(rest, "<GS>", "\x1d")
		in, want, _ := strings.Cut(rest, " -> ")
		switch key {
		case "encode":
			list, err := Parse(in)
			if err != nil || Encode(list) != want {
				t.Errorf("%s: %q %v, want %q", in, Encode(list), err, want)
			}
		case "text":
			list, err := Parse(in)
			if err != nil || Text(list) != want {
				t.Errorf("%q: %q %v, want %q", in, Text(list), err, want)
			}
		case "reject":
			if list, err := Parse(in); err == nil {
				t.Errorf("%q is taken for %q", in, Text(list))
			}
		case "digit":
			if err := CheckDigit(in); err != nil {
				t.Errorf("%s: %v", in, err)
			}
		case "no-digit":
			if CheckDigit(in) == nil {
				t.Errorf("%s passes", in)
			}
		case "date":
			got, err := Date(in, 2026)
			if err != nil || got != want {
				t.Errorf("%s: %s %v, want %s", in, got, err, want)
			}
		case "no-date":
			if got, err := Date(in, 2026); err == nil {
				t.Errorf("%s is taken for %s", in, got)
			}
		default:
			t.Fatalf("unknown key %q", key)
		}
	}
	if n < 60 {
		t.Errorf("%d vectors: the file is not read", n)
	}
}

func TestRead(t *testing.T) {
	want := Label{GTIN: "05412345000013", Lot: "ABC123", Serial: "7", Expiry: "2029-03-31"}
	for _, s := range []string{"010541234500001310ABC123\x1d17290331217", "]d2010541234500001310ABC123\x1d17290331217", "(01)05412345000013(10)ABC123(17)290300(21)7"} {
		if got, err := Read(s, 2026); err != nil || got != want {
			t.Errorf("%q: %+v %v", s, got, err)
		}
	}
	if _, err := Read("(10)ABC", 2026); err == nil || !strings.Contains(err.Error(), "no GTIN") {
		t.Errorf("without a GTIN: %v", err)
	}
	if got, err := GTIN("6291041500213"); err != nil || got != "06291041500213" {
		t.Errorf("%s %v", got, err)
	}
}

// Whatever is scanned is read as it stands, or refused: what was read is
// written back as the very code.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"(01)12345678901231(10)12345", "]d2011231231231233310ABC123\x1d99TESTING", "^1012345^11991225", "010541234500001310ABC123\x1d17290331", "(10)(11)98765", "]C1", "(21)a(b)c(10)d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(Encode(list))
		if err != nil || Text(again) != Text(list) {
			t.Errorf("%q: %q is %q when it is read again (%v)", s, Text(list), Text(again), err)
		}
	})
}
