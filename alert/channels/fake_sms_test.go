package channels

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// readSubmit reads an SMS-SUBMIT as a network does, bit by bit, and refuses
// what is not well formed.
func readSubmit(pdu string, length int) (s fakeSubmit, err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("it is cut off")
		}
	}()
	o, err := hex.DecodeString(pdu)
	if err != nil {
		return s, err
	}
	o = o[1+int(o[0]):]
	if len(o) != length {
		return s, fmt.Errorf("it has %d octets, not %d", len(o), length)
	}
	first := o[0]
	if first&3 != 1 || first&0x18 != 0x10 {
		return s, fmt.Errorf("first octet %x", first)
	}
	digits := int(o[2])
	if o[3] == 0x91 {
		s.to = "+"
	}
	for i := range digits {
		s.to += string("0123456789"[o[4+i/2]>>(4*(i%2))&15])
	}
	o = o[4+(digits+1)/2:]
	dcs := o[1]
	s.validity = o[2]
	n, data := int(o[3]), o[4:]
	skip := 0
	s.total, s.seq = 1, 1
	if first&0x40 != 0 {
		skip = int(data[0]) + 1
		if skip != 6 || data[1] != 0 || data[2] != 3 {
			return s, fmt.Errorf("header % x", data[:skip])
		}
		s.ref, s.total, s.seq = int(data[3]), int(data[4]), int(data[5])
	}
	switch dcs {
	case 0:
		if len(data) != (n*7+7)/8 || n > 160 {
			return s, fmt.Errorf("%d septets in %d octets", n, len(data))
		}
		var septets []byte
		for i := (skip*8 + 6) / 7; i < n; i++ {
			var v byte
			for bit := range 7 {
				at := i*7 + bit
				v |= data[at/8] >> (at % 8) & 1 << bit
			}
			septets = append(septets, v)
		}
		s.text = gsmText(septets)
	case 8:
		if len(data) != n || n > 140 {
			return s, fmt.Errorf("%d octets, not %d", len(data), n)
		}
		var units []uint16
		for i := skip; i+1 < len(data); i += 2 {
			units = append(units, uint16(data[i])<<8|uint16(data[i+1]))
		}
		s.text = string(utf16.Decode(units))
	default:
		return s, fmt.Errorf("data coding %x", dcs)
	}
	return s, nil
}

// deliver encodes an SMS-DELIVER of the network; header is a user data header
// or nil.
func deliver(from, text string, at time.Time, header []byte) string {
	kind, digits := byte(0x81), strings.TrimPrefix(from, "+")
	if digits != from {
		kind = 0x91
	}
	first := byte(0x04)
	if header != nil {
		first |= 0x40
	}
	o := []byte{0x07, 0x91, 0x44, 0x77, 0x58, 0x10, 0x06, 0x50, first, byte(len(digits)), kind}
	for i := 0; i < len(digits); i += 2 {
		pair := digits[i:min(i+2, len(digits))] + "F"
		v, _ := strconv.ParseUint(string([]byte{pair[1], pair[0]}), 16, 8)
		o = append(o, byte(v))
	}
	swap := func(n int) byte { return byte(n%10<<4 | n/10) }
	_, zone := at.Zone()
	tz := swap(max(zone, -zone) / 900)
	if zone < 0 {
		tz |= 0x08
	}
	stamp := []byte{swap(at.Year() % 100), swap(int(at.Month())), swap(at.Day()), swap(at.Hour()), swap(at.Minute()), swap(at.Second()), tz}
	if chars, ok := gsmSeptets(text); ok {
		septets := slices.Concat(chars...)
		skip := (len(header)*8 + 6) / 7
		o = append(append(o, 0, 0), stamp...)
		o = append(append(o, byte(skip+len(septets))), header...)
		o = append(o, packSeptets(septets, skip*7-len(header)*8)...)
	} else {
		units := utf16.Encode([]rune(text))
		o = append(append(o, 0, 8), stamp...)
		o = append(append(o, byte(len(header)+2*len(units))), header...)
		for _, u := range units {
			o = append(o, byte(u>>8), byte(u))
		}
	}
	return strings.ToUpper(hex.EncodeToString(o))
}
