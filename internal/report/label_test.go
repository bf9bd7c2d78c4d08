package report

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func example() Label {
	return Label{Batch: "EX-0412", Lot: "0412/B", Expiry: "2027-01-31", Range: "-90 to -60 °C", URL: "http://pi.local:8080/b/EX-0412"}
}

// Every size gives a PDF in which a person reads the id, the lot and the last
// day, and from which a scanner reads where to look: asked of other people's
// programs, where they are installed.
func TestLabelsAreReadBack(t *testing.T) {
	for _, size := range Sizes() {
		t.Run(size.Name, func(t *testing.T) {
			readBack(t, size, example(), "EX-0412", "Lot 0412/B", "Last day 2027-01-31", "Keep at -90 to -60 °C")
		})
		t.Run(size.Name+" opened", func(t *testing.T) {
			l := example()
			l.Head, l.Foot = "USE BY 13:05", "2 May, mixed 09:05"
			readBack(t, size, l, "EX-0412", "USE BY 13:05", "2 May, mixed 09:05", "Lot 0412/B")
		})
	}
}

// readBack makes two labels, and lets other programs read them.
func readBack(t *testing.T, size Size, label Label, wants ...string) {
	var b bytes.Buffer
	if err := WriteLabels(&b, size, []Label{label, label}); err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(b.Bytes(), []byte("%PDF-")) {
		t.Fatalf("no PDF: %.20q", b.Bytes())
	}
	again := bytes.Buffer{}
	if err := WriteLabels(&again, size, []Label{label, label}); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Errorf("the same labels are other bytes (%v)", err)
	}
	for _, program := range []string{"pdftotext", "pdftoppm", "zbarimg"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: labels are not read back (Debian: poppler-utils, zbar-tools)", program)
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "labels.pdf")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command("pdftotext", "-layout", file, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range wants {
		if strings.Count(string(text), want) != 2 {
			t.Errorf("%q is not there twice in\n%s", want, text)
		}
	}
	if out, err := exec.Command("pdftoppm", "-r", "300", "-f", "1", "-l", "1", "-png", file, filepath.Join(dir, "page")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "page*.png"))
	if err != nil || len(pages) != 1 {
		t.Fatalf("%v %v", pages, err)
	}
	scanned, err := exec.Command("zbarimg", "--quiet", "--raw", pages[0]).Output()
	if err != nil {
		t.Fatalf("a scanner finds nothing: %v", err)
	}
	for line := range strings.Lines(string(scanned)) {
		if strings.TrimSpace(line) != label.URL {
			t.Errorf("a scanner reads %q", line)
		}
	}
}

func TestLabelsThatCannotBe(t *testing.T) {
	if _, err := SizeNamed("10x10"); err == nil || !strings.Contains(err.Error(), "62x29") {
		t.Errorf("%v", err)
	}
	size, err := SizeNamed("62x29")
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteLabels(&bytes.Buffer{}, size, nil); err == nil {
		t.Error("no labels are written")
	}
	if err := WriteLabels(&bytes.Buffer{}, size, []Label{{Batch: "X", URL: strings.Repeat("x", 5000)}}); err == nil {
		t.Error("a code that nobody can encode is written")
	}
}
