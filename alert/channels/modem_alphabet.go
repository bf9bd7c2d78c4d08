package channels

import (
	"strings"
	"unicode/utf16"
)

// gsmAlphabet is the default alphabet of short messages, 7 bits a character
// (3GPP TS 23.038 §6.2.1), in the order of its codes. 0x1B leads to
// gsmEscaped.
var gsmAlphabet = []rune("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
	"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà")

// gsmEscaped is its extension table (§6.2.1.1): these take two places.
var gsmEscaped = map[rune]byte{'\f': 0x0A, '^': 0x14, '{': 0x28, '}': 0x29, '\\': 0x2F, '[': 0x3C, '~': 0x3D, ']': 0x3E, '|': 0x40, '€': 0x65}

// gsmCodes and gsmUnicode are the tables the other way round.
var gsmCodes, gsmUnicode = func() (codes map[rune]byte, extended map[byte]rune) {
	codes, extended = map[rune]byte{}, map[byte]rune{}
	for code, r := range gsmAlphabet {
		if code != gsmEscape {
			codes[r] = byte(code)
		}
	}
	for r, code := range gsmEscaped {
		extended[code] = r
	}
	return codes, extended
}()

const gsmEscape = 0x1B

// gsmSeptets gives one or two septets for each character; false where s has
// one that the alphabet has not.
func gsmSeptets(s string) (chars [][]byte, ok bool) {
	for _, r := range s {
		if code, ok := gsmCodes[r]; ok {
			chars = append(chars, []byte{code})
		} else if code, ok := gsmEscaped[r]; ok {
			chars = append(chars, []byte{gsmEscape, code})
		} else {
			return nil, false
		}
	}
	return chars, true
}

// gsmText reads septets. An escape to nothing known shows the character of the
// default alphabet, one at the end a space: as §6.2.1.1 has it.
func gsmText(septets []byte) string {
	var b strings.Builder
	for i := 0; i < len(septets); i++ {
		code := septets[i] & 0x7F
		if code != gsmEscape {
			b.WriteRune(gsmAlphabet[code])
			continue
		}
		if i++; i == len(septets) || septets[i]&0x7F == gsmEscape {
			b.WriteByte(' ')
		} else if r, ok := gsmUnicode[septets[i]&0x7F]; ok {
			b.WriteRune(r)
		} else {
			b.WriteRune(gsmAlphabet[septets[i]&0x7F])
		}
	}
	return b.String()
}

// packSeptets puts septets into octets, the first at the lowest bits
// (§6.1.2.1), after fill bits of padding.
func packSeptets(septets []byte, fill int) []byte {
	out := make([]byte, (fill+7*len(septets)+7)/8)
	for i, s := range septets {
		bit := fill + 7*i
		v := uint16(s&0x7F) << (bit % 8)
		out[bit/8] |= byte(v)
		if v > 0xFF {
			out[bit/8+1] |= byte(v >> 8)
		}
	}
	return out
}

// unpackSeptets takes n septets out of octets that hold at least so many.
func unpackSeptets(octets []byte, fill, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		bit := fill + 7*i
		v := uint16(octets[bit/8])
		if bit/8+1 < len(octets) {
			v |= uint16(octets[bit/8+1]) << 8
		}
		out[i] = byte(v>>(bit%8)) & 0x7F
	}
	return out
}

// plainGSM writes with the default alphabet what needs other characters only
// for its looks: one "°" or "–" turns a page of two short messages into one of
// five, each of which may be lost. A text that needs more than that stays.
func plainGSM(s string) string {
	plain := gsmPlainly.Replace(s)
	if _, ok := gsmSeptets(plain); ok {
		return plain
	}
	return s
}

// Of ranges below zero the dash must not look like a second minus sign.
var gsmPlainly = strings.NewReplacer(
	"–-", "...-", "–−", "...-", "°", "", "\u00a0", " ", "\u202f", " ", "\u2009", " ", "\t", " ", "\u200b", "",
	"–", "-", "—", "-", "‑", "-", "‐", "-", "−", "-", "…", "...", "·", "-", "•", "-", "×", "x",
	"’", "'", "‘", "'", "‚", ",", "“", `"`, "”", `"`, "„", `"`, "«", `"`, "»", `"`, "≥", ">=", "≤", "<=", "→", "->", "±", "+/-", "µ", "u", "½", "1/2",
	"á", "a", "â", "a", "ã", "a", "ç", "c", "č", "c", "ê", "e", "ë", "e", "ę", "e", "ě", "e", "í", "i", "î", "i", "ï", "i", "ł", "l", "ń", "n", "ó", "o", "ô", "o", "õ", "o",
	"ř", "r", "ś", "s", "š", "s", "ú", "u", "û", "u", "ý", "y", "ž", "z", "ż", "z", "Á", "A", "Â", "A", "À", "A", "È", "E", "Ê", "E", "Í", "I", "Î", "I", "Ó", "O", "Ô", "O", "Š", "S", "Ú", "U", "Ž", "Z",
	"ą", "a", "ă", "a", "ć", "c", "ď", "d", "ň", "n", "ő", "o", "ș", "s", "ş", "s", "ț", "t", "ť", "t", "ů", "u", "ű", "u", "ź", "z", "ğ", "g", "ı", "i",
	"Ã", "A", "Ą", "A", "Ć", "C", "Č", "C", "Ď", "D", "Ë", "E", "Ę", "E", "Ě", "E", "Ï", "I", "İ", "I", "Ł", "L", "Ń", "N", "Ň", "N", "Õ", "O", "Ő", "O", "Ř", "R", "Ś", "S", "Ș", "S", "Ş", "S", "Ț", "T", "Ť", "T", "Û", "U", "Ů", "U", "Ű", "U", "Ý", "Y", "Ź", "Z", "Ż", "Z", "Ğ", "G",
)

// ucsChars gives the UTF-16 units of each character.
func ucsChars(s string) (chars [][]uint16) {
	for _, r := range s {
		chars = append(chars, utf16.AppendRune(nil, r))
	}
	return chars
}
