package channels

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Short messages as modems take and give them in PDU mode: 3GPP TS 23.040.

// smsParts bounds how many parts one text is sent in. Networks drop parts, and
// a phone shows nothing until it has them all.
const smsParts = 10

// smsValid is how long the network tries to deliver: a page of last night helps
// nobody, and the next one has been sent.
const smsValid = 4 * time.Hour

// A submission is one SMS-SUBMIT for AT+CMGS: without the address of the
// service centre, which the SIM knows, its length is what the command says.
type submission struct {
	pdu    string // hexadecimal, with the empty service centre's "00"
	length int    // in octets, without it
}

// submissions encodes a text for a number as one SMS-SUBMIT or as several that
// belong together by ref. It is cut where it needs more than smsParts; its last
// line, which may say how to answer, is kept.
func submissions(to, text string, ref byte) ([]submission, error) {
	address, err := addressOctets(to)
	if err != nil {
		return nil, err
	}
	text = plainGSM(text)
	parts, wide := userData(text)
	for keep := utf8.RuneCountInString(text); len(parts) > smsParts; {
		// In proportion first, so that this ends soon.
		keep = min(keep-1, keep*smsParts/len(parts)+smsParts)
		parts, wide = userData(cutBody(text, keep))
	}
	var subs []submission
	for i, data := range parts {
		first, dcs := byte(0x11), byte(0) // SMS-SUBMIT with a relative validity
		if wide {
			dcs = 0x08
		}
		if len(parts) > 1 {
			first |= 0x40
		}
		pdu := append([]byte{first, 0}, address...)
		pdu = append(pdu, 0, dcs, validity(smsValid))
		pdu = append(pdu, data.octets(wide, ref, len(parts), i+1)...)
		subs = append(subs, submission{"00" + strings.ToUpper(hex.EncodeToString(pdu)), len(pdu)})
	}
	return subs, nil
}

// cutBody shortens a text to about n characters but keeps its last line.
func cutBody(text string, n int) string {
	body, last := text, ""
	if i := strings.LastIndexByte(text, '\n'); i >= 0 && utf8.RuneCountInString(text[i:]) < n/2 {
		body, last = text[:i], text[i:]
	}
	r := []rune(body)
	return string(r[:max(0, min(len(r), n-utf8.RuneCountInString(last)-3))]) + "..." + last
}

// A userDatum is the text of one part: septets, or UTF-16 units.
type userDatum struct {
	septets []byte
	units   []uint16
}

// userData splits a text into parts, never within a character, and says
// whether it needs UCS-2.
func userData(text string) (parts []userDatum, wide bool) {
	if chars, ok := gsmSeptets(text); ok {
		for _, part := range fill(chars, 160, 153) {
			parts = append(parts, userDatum{septets: part})
		}
		return parts, false
	}
	for _, part := range fill(ucsChars(text), 70, 67) {
		parts = append(parts, userDatum{units: part})
	}
	return parts, true
}

// fill puts characters into one part of at most alone places, or into several
// of at most each.
func fill[T any](chars [][]T, alone, each int) [][]T {
	if all := slices.Concat(chars...); len(all) <= alone {
		return [][]T{all}
	}
	parts := [][]T{nil}
	for _, c := range chars {
		last := &parts[len(parts)-1]
		if len(*last)+len(c) > each {
			parts = append(parts, nil)
			last = &parts[len(parts)-1]
		}
		*last = append(*last, c...)
	}
	return parts
}

// octets is the user data's length and the data, with the header of parts that
// belong together (§9.2.3.24.1) where there are several.
func (d userDatum) octets(wide bool, ref byte, total, seq int) []byte {
	var header []byte
	if total > 1 {
		header = []byte{5, 0, 3, ref, byte(total), byte(seq)}
	}
	if wide {
		out := append([]byte{byte(len(header) + 2*len(d.units))}, header...)
		for _, u := range d.units {
			out = append(out, byte(u>>8), byte(u))
		}
		return out
	}
	// The text begins at a whole septet after the header.
	skip := (len(header)*8 + 6) / 7
	out := append([]byte{byte(skip + len(d.septets))}, header...)
	return append(out, packSeptets(d.septets, skip*7-len(header)*8)...)
}

// validity is a relative validity period (§9.2.3.12.1): up to 12 h in steps of
// 5 min, up to a day of 30 min, then days up to 30, then weeks.
func validity(d time.Duration) byte {
	const day = 24 * time.Hour
	switch {
	case d <= 12*time.Hour:
		return byte(max(0, d/(5*time.Minute)-1))
	case d <= day:
		return byte(143 + (d-12*time.Hour)/(30*time.Minute))
	case d <= 30*day:
		return byte(166 + d/day)
	}
	return byte(min(255, 192+d/(7*day)))
}

// addressOctets is a phone number as an address field (§9.1.2.5).
func addressOctets(to string) ([]byte, error) {
	number := dialled(to)
	digits := strings.TrimPrefix(number, "+")
	least := 3 // a short code
	if digits != number {
		least = 7
	}
	if len(digits) < least || len(digits) > 20 || strings.Trim(digits, "0123456789") != "" {
		return nil, fmt.Errorf("send to %q: that is no phone number: write it like +44 20 7946 0000", to)
	}
	kind := byte(0x81) // as dialled
	if digits != number {
		kind = 0x91 // international
	}
	out := []byte{byte(len(digits)), kind}
	for i := 0; i < len(digits); i += 2 {
		high := byte(0xF0)
		if i+1 < len(digits) {
			high = (digits[i+1] - '0') << 4
		}
		out = append(out, high|(digits[i]-'0'))
	}
	return out, nil
}

// A delivery is one SMS-DELIVER: a short message that came, or a part of one.
type delivery struct {
	from  string    // +…, digits, or a name
	at    time.Time // by the service centre's clock; zero: it cannot be read
	units []uint16  // the text in UTF-16, so that parts join within a character
	ref   int       // with total and seq: which part of which text
	total int       // 0: it is whole
	seq   int       // from 1
}

func (d *delivery) text() string { return string(utf16.Decode(d.units)) }

// errNoDelivery says that a PDU is something else: a status report.
var errNoDelivery = errors.New("it is no message")

// parseDelivery reads an SMS-DELIVER in hexadecimal (§9.2.2.1), with the
// address of the service centre before it.
func parseDelivery(pdu string) (delivery, error) {
	octets, err := hex.DecodeString(strings.TrimSpace(pdu))
	if err != nil {
		return delivery{}, fmt.Errorf("read message: %w", err)
	}
	r := octetReader{rest: octets}
	r.take(int(r.one())) // the service centre
	first := r.one()
	if r.short {
		return delivery{}, errors.New("read message: it is cut off")
	}
	if first&0x03 != 0 {
		return delivery{}, errNoDelivery
	}
	var d delivery
	digits := int(r.one())
	kind := r.one()
	d.from = address(kind, digits, r.take((digits+1)/2))
	r.one() // the protocol
	dcs := r.one()
	d.at = timeStamp(r.take(7))
	length := int(r.one())
	if r.short {
		return delivery{}, errors.New("read message: it is cut off")
	}
	return d, d.read(length, dcs, first&0x40 != 0, r.rest)
}

// read reads the user data.
func (d *delivery) read(length int, dcs byte, hasHeader bool, data []byte) error {
	alphabet, ok := alphabetOf(dcs)
	if !ok {
		return errors.New("read message: it is compressed")
	}
	octets := length
	if alphabet == septetText {
		octets = (7*length + 7) / 8
	}
	if len(data) < octets {
		return errors.New("read message: it is cut off")
	}
	data = data[:octets]
	skip := 0
	if hasHeader {
		if len(data) == 0 || len(data) < int(data[0])+1 {
			return errors.New("read message: its header is cut off")
		}
		skip = int(data[0]) + 1
		d.header(data[1:skip])
	}
	switch alphabet {
	case septetText:
		before := (skip*8 + 6) / 7 // septets that the header takes
		if length < before {
			return errors.New("read message: its header is longer than it")
		}
		text := gsmText(unpackSeptets(data[skip:], before*7-skip*8, length-before))
		d.units = utf16.Encode([]rune(text))
	case octetText:
		// Nothing says which alphabet: Latin-1 is what phones take it for.
		for _, b := range data[skip:] {
			d.units = append(d.units, uint16(b))
		}
	default:
		for text := data[skip:]; len(text) >= 2; text = text[2:] {
			d.units = append(d.units, uint16(text[0])<<8|uint16(text[1]))
		}
	}
	return nil
}

// header finds in a user data header which part this is (§9.2.3.24).
func (d *delivery) header(h []byte) {
	for len(h) >= 2 && len(h) >= 2+int(h[1]) {
		value := h[2 : 2+int(h[1])]
		switch {
		case h[0] == 0x00 && len(value) == 3:
			d.ref, d.total, d.seq = int(value[0]), int(value[1]), int(value[2])
		case h[0] == 0x08 && len(value) == 4:
			d.ref, d.total, d.seq = int(value[0])<<8|int(value[1]), int(value[2]), int(value[3])
		}
		h = h[2+len(value):]
	}
	if d.total < 2 || d.seq < 1 || d.seq > d.total {
		d.ref, d.total, d.seq = 0, 0, 0 // as §9.2.3.24.1 has it: a message for itself
	}
}

// Alphabets of user data.
const (
	septetText = iota
	octetText
	wideText
)

// alphabetOf reads a data coding scheme (TS 23.038 §4); false where the text is
// compressed. Reserved ones are read as the default alphabet.
func alphabetOf(dcs byte) (alphabet int, ok bool) {
	switch {
	case dcs < 0x80:
		return [...]int{septetText, octetText, wideText, septetText}[dcs>>2&3], dcs&0x20 == 0
	case dcs >= 0xF0 && dcs&0x04 != 0:
		return octetText, true
	case dcs >= 0xE0 && dcs < 0xF0:
		return wideText, true
	}
	return septetText, true
}

// address reads an address field of so many semi-octets.
func address(kind byte, digits int, octets []byte) string {
	if kind&0x70 == 0x50 { // a name, in septets
		n := min(digits*4/7, len(octets)*8/7)
		return gsmText(unpackSeptets(octets, 0, n))
	}
	var b strings.Builder
	if kind&0x70 == 0x10 {
		b.WriteByte('+')
	}
	for i := range min(digits, 2*len(octets)) {
		b.WriteByte("0123456789*#abc?"[octets[i/2]>>(i%2*4)&0x0F])
	}
	return b.String()
}

// timeStamp reads the service centre's time (§9.2.3.11); zero if it is none.
func timeStamp(octets []byte) time.Time {
	var v [7]int
	for i, o := range octets {
		if i == 6 {
			o &^= 0x08 // the zone's sign
		}
		if o&0x0F > 9 || o>>4 > 9 {
			return time.Time{}
		}
		v[i] = int(o&0x0F)*10 + int(o>>4)
	}
	if len(octets) < 7 || v[1] < 1 || v[1] > 12 || v[2] < 1 || v[2] > 31 || v[3] > 23 || v[4] > 59 || v[5] > 59 {
		return time.Time{}
	}
	year := 2000 + v[0]
	if v[0] >= 90 { // there were short messages in the nineties
		year -= 100
	}
	zone := v[6] * 15 * 60
	if octets[6]&0x08 != 0 {
		zone = -zone
	}
	return time.Date(year, time.Month(v[1]), v[2], v[3], v[4], v[5], 0, time.FixedZone("", zone))
}

// An octetReader takes octets from the front, and remembers that there were
// too few.
type octetReader struct {
	rest  []byte
	short bool
}

func (r *octetReader) one() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *octetReader) take(n int) []byte {
	if n > len(r.rest) {
		r.short = true
		n = len(r.rest)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}
