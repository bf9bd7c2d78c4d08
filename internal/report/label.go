// Package report makes what is printed: labels for batches. It draws vectors
// alone, so that a label is sharp on any printer, and reads no clock: the same
// batch gives the same bytes.
package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"github.com/boombuler/barcode/qr"
)

// A Label is what stands on a box or a vial: a QR code that opens the batch's
// page, and beside it what a person must be able to read without one.
type Label struct {
	Batch  string
	Lot    string
	Expiry string // YYYY-MM-DD; "" none
	Range  string // "2–8 °C"
	URL    string // what the code opens
	// Head and Foot stand on what is opened, in place of its last day: until when
	// it may be used, large, and from when; "" where it is not.
	Head, Foot string
}

// A Size is a label's, in millimetres; Sheet labels lie on A4 paper.
type Size struct {
	Name          string
	Width, Height float64
	Text          string // whose it is
	Across, Down  int    // on a sheet; 0: one label a page
	Left, Top     float64
}

// Sizes are those in common use.
func Sizes() []Size {
	return []Size{
		{Name: "62x29", Width: 62, Height: 29, Text: "address labels on a roll (Brother DK-11209 and others)"},
		{Name: "89x36", Width: 89, Height: 36, Text: "large address labels on a roll (Dymo 99012 and others)"},
		{Name: "57x32", Width: 57, Height: 32, Text: "multi-purpose labels on a roll (Dymo 11354 and others)"},
		{Name: "38x13", Width: 38, Height: 13, Text: "cryogenic labels for tubes and boxes"},
		{Name: "a4-70x37", Width: 70, Height: 37, Text: "A4 sheets of 24 (3 by 8)", Across: 3, Down: 8, Left: 0, Top: 0.5},
	}
}

// SizeNamed finds a size.
func SizeNamed(name string) (Size, error) {
	var names []string
	for _, s := range Sizes() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Size{}, fmt.Errorf("size %q is not known; %s are", name, strings.Join(names, ", "))
}

// The QR code has a quiet zone of four modules (ISO/IEC 18004, 9.1), and is at
// most this share of a label's width.
const (
	quiet     = 4
	codeShare = 0.5
)

// WriteLabels writes a PDF with the labels in order, each on a page of its
// size, or side by side on sheets.
func WriteLabels(w io.Writer, size Size, labels []Label) error {
	if len(labels) == 0 {
		return fmt.Errorf("write labels: there are none")
	}
	page := fpdf.SizeType{Wd: size.Width, Ht: size.Height}
	orientation := "P"
	if size.Across > 0 {
		page = fpdf.SizeType{Wd: 210, Ht: 297}
	} else if size.Width > size.Height {
		// fpdf gives a page that lies the width that it is given as height.
		orientation, page = "L", fpdf.SizeType{Wd: size.Height, Ht: size.Width}
	}
	pdf := fpdf.NewCustom(&fpdf.InitType{OrientationStr: orientation, UnitStr: "mm", Size: page})
	pdf.SetMargins(0, 0, 0)
	pdf.SetAutoPageBreak(false, 0)
	pdf.SetCatalogSort(true)
	pdf.SetCreationDate(time.Unix(0, 0).UTC())
	pdf.SetModificationDate(time.Unix(0, 0).UTC())
	pdf.SetTitle("Labels of "+labels[0].Batch, true)
	each := max(size.Across*size.Down, 1)
	for i, l := range labels {
		if i%each == 0 {
			pdf.AddPage()
		}
		x, y := 0.0, 0.0
		if size.Across > 0 {
			n := i % each
			x, y = size.Left+float64(n%size.Across)*size.Width, size.Top+float64(n/size.Across)*size.Height
		}
		if err := draw(pdf, x, y, size, l); err != nil {
			return fmt.Errorf("write label of %s: %w", l.Batch, err)
		}
	}
	if err := pdf.Output(w); err != nil {
		return fmt.Errorf("write labels: %w", err)
	}
	return nil
}

func draw(pdf *fpdf.Fpdf, x, y float64, size Size, l Label) error {
	code, err := qr.Encode(l.URL, qr.M, qr.Auto)
	if err != nil {
		return fmt.Errorf("encode %q: %w", l.URL, err)
	}
	n := code.Bounds().Dx()
	side := min(size.Height, size.Width*codeShare)
	module := side / float64(n+2*quiet)
	pdf.SetFillColor(0, 0, 0)
	top := y + (size.Height-side)/2
	for row := range n {
		for from := 0; from < n; from++ {
			to := from
			for to < n && dark(code.At(to, row).RGBA()) {
				to++
			}
			if to > from { // modules side by side are one rectangle: no hair lines between
				pdf.Rect(x+float64(from+quiet)*module, top+float64(row+quiet)*module, float64(to-from)*module, module, "F")
				from = to
			}
		}
	}
	tr := pdf.UnicodeTranslatorFromDescriptor("")
	margin := 1.0
	if size.Across > 0 {
		margin = 5 // no printer reaches a sheet's edge
	}
	left, width := x+side, size.Width-side-margin
	lines := l.lines()
	all := 1.0 // half a line above, and half a line below
	for _, line := range lines {
		all += line.rows
	}
	at := y + size.Height/all/2
	for _, line := range lines {
		if line.text == "" {
			continue
		}
		height := size.Height / all * line.rows
		points := size.Height / all * line.size / 0.3528 * 0.72 // a point is 0.3528 mm
		pdf.SetFont("Helvetica", line.style, points)
		// A long id is set smaller rather than cut off.
		if have := pdf.GetStringWidth(tr(line.text)); have > width {
			pdf.SetFontSize(points * width / have)
		}
		pdf.SetXY(left, at)
		pdf.CellFormat(width, height, tr(line.text), "", 0, "LM", false, 0, "")
		at += height
	}
	return nil
}

// A textLine of a label takes so many rows, and letters of a size against the
// usual.
type textLine struct {
	text, style string
	rows, size  float64
}

// lines are those of the label, from above; "" where something is not known.
func (l Label) lines() []textLine {
	lot, day := "Lot "+l.Lot, "Last day "+l.Expiry
	if l.Lot == "" {
		lot = ""
	}
	if l.Expiry == "" {
		day = ""
	}
	if l.Head != "" {
		return []textLine{{l.Batch, "B", 1, 1.2}, {l.Head, "B", 1.8, 2.2}, {l.Foot, "B", 1, 1.1}, {lot, "", 1, 1}}
	}
	return []textLine{{l.Batch, "B", 1, 1.3}, {lot, "", 1, 1}, {day, "", 1, 1}, {"Keep at " + l.Range, "", 1, 1}}
}

func dark(r, g, b, _ uint32) bool { return r+g+b < 3*0x8000 }
