package channels

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"pgregory.net/rapid"
)

// Messages that others published, with what others read in them. Sources: (1)
// the "hellohello" example of the PDU tutorial at dreamfabric.com/sms; (2) the
// tests of ModemManager, src/tests/test-sms-part-3gpp.c; (3) the tests of
// python-messaging, messaging/test/test_sms.py.
var publishedDeliveries = []struct {
	name, pdu, from, at, text string
	total, seq                int
}{
	{"1 hellohello", "07917283010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37", "27838890001", "1999-03-29T15:16:59+02:00", "hellohello", 0, 0},
	{"2 extension table", "07912104442961F4040B916171957291F8000011208211050" + "50A6AC8B2BC7C9A83C220F6DB7D2ECB41EDF27C1E3E97411BDE06754FD3D1A0F9BB5D0695F1F4B29B5C2683C6E8B03C3CA697E5F34D6AE303D1D1F2F7DD0D4ABB59A0797D8C0685E7A00028EC26832A960B28EC2683BE6050780EBA97D96C17",
		"+16175927198", "2011-02-28T11:50:50-05:00", "Here's a longer message [{with some extended characters}] thrown in, such as £ and ΩΠΨ and §¿ as well.", 0, 0},
	{"2 name, UCS-2", "07919730071111F10414D04937BD2C7797E9D3E614000811309291024061080442043504410442", "InternetSMS", "2011-03-29T19:20:04+04:00", "тест", 0, 0},
	{"2 national number", "07912143658709F1040B818100551512F20000111010214365000AE8329BFD4697D9EC37", "18005551212", "2011-01-01T12:34:56Z", "hellohello", 0, 0},
	{"2 coding group F", "07913306091093F0040485810000F111604231805180A049B7F90D9A1AA5A01668F8769BD3E4B29B9E2EB359A03FC85D06A9C3ED707A0EA2CBC3EE79BB4CA7CBCBA05643617DA7C76990FD4D979741EE77DD5E0ED741ED371D442E83E0E1F9BC0CD281E677D9B84C06C1DF7539E85C9097E520FB9B2E2F83C6EF369C5E064D8D52D0BC2E07DDEF77D7DC2C7799E5A0771D040FCB41F402BB0047BFDD6550B80ECAD966",
		"1800", "2011-06-24T13:08:15+02:00", "Info SFR - Confidentiel, à ne jamais transmettre -\r\nVoici votre nouveau mot de passe : sw2ced pour gérer votre compte SFR sur www.sfr.fr ou par téléphone au 963", 0, 0},
	{"2 a 16-bit reference", "07911356131313F64004850120390011609232239180A006080400100201D7327BFD6EB340E2321BF46E83EA7790F59D1E97DBE1341B442F83C465763D3DA797E56537C81D0ECB41AB59CC1693C16031D96C064241E5656838AF03A96230982A269BCD462917C8FA4E8FCBED709A0D7ABBE9F6B0FB5C7683D27350984D4FABC9A0B33C4C4FCF5D20EBFB2D079DCB62793DBD06D9C36E50FB2D4E97D9A0B49B5E96BBCB",
		"1002", "2011-06-29T23:32:19+02:00", "Welkom, bel om uw Voicemail te beluisteren naar +31612001233 (PrePay: *100*1233#). Voicemail ontvangen is altijd gratis. Voor gebruik van mobiel interne", 2, 1},
	{"2 the second part", "07912160130320F6440B916171056429F5000021405291651569320500034C0202E9E8301D44479741F0B09C3E0785E56590BCCC0ED3CB6410FD0D7ABBCBA0B0FB4D4797E52E10",
		"+16175046925", "2012-04-25T19:56:51-04:00", "that the parts are related to one another. ", 2, 2},
	{"3 numeric", "07911326040000F0040B911346610089F60000208062917314080CC8F71D14969741F977FD07", "+31641600986", "2002-08-26T19:37:41Z", "How are you?", 0, 0},
	{"3 Chinese", "07914306073011F0040B914316709807F2000880604290224080084E2D5174901A8BAF", "+34610789702", "2008-06-24T09:22:04+02:00", "中兴通讯", 0, 0},
	{"3 a name of even length", "07919333852804000412D0F7FBDD454FB75D693A0000903002801153402BCD301E9F0605D9E971191483C140412A35690D52832063D2F9040599A058EE05A3BD6430580E", "www.tim.it", "2009-03-20T08:11:35+01:00", "Maxxi Alice 100 ATTIVATA FINO AL 19/04/2009", 0, 0},
	{"3 the euro sign over two parts", "07919471227210244405852122F039F101506271217180A005000319020198E9B2B82C0759DFE4B0F9ED2EB7967537B9CC02B5D37450122D2FCB41EE303DFD7687D96537881A96A7CD6F383DFD7683F46134BBEC064DD36550DA0D22A7CBF3721BE42CD3F5A0198B56036DCA20B8FC0D6A0A4170767D0EAAE540433A082E7F83A6E5F93CFD76BB40D7B2DB0D9AA6CB2072BA3C2F83926EF31BE44E8FD17450BB8C9683CA",
		"", "2010-05-26T17:12:17+02:00", "Lieber Vodafone-Kunde, mit Ihrer nationalen Tarifoption zahlen Sie in diesem Netz 3,45 € pro MB plus 59 Ct pro Session. Wenn Sie diese Info nicht mehr e", 2, 1},
}

func TestPublishedMessagesAreRead(t *testing.T) {
	for _, c := range publishedDeliveries {
		t.Run(c.name, func(t *testing.T) {
			d, err := parseDelivery(c.pdu)
			if err != nil {
				t.Fatal(err)
			}
			if d.text() != c.text {
				t.Errorf("text %q, not %q", d.text(), c.text)
			}
			if c.from != "" && d.from != c.from {
				t.Errorf("from %q, not %q", d.from, c.from)
			}
			if got := d.at.Format(time.RFC3339); got != c.at {
				t.Errorf("at %s, not %s", got, c.at)
			}
			if d.total != c.total || d.seq != c.seq {
				t.Errorf("part %d of %d, not %d of %d", d.seq, d.total, c.seq, c.total)
			}
		})
	}
}

func TestOctetsAreReadAsLatin1(t *testing.T) {
	// From (2): the user data of "hellohello" under an 8-bit coding.
	d, err := parseDelivery("07912143658709F1040B918100551512F20004111010214365000AE8329BFD4697D9EC37DE")
	if err != nil {
		t.Fatal(err)
	}
	if want := "\u00e82\u009b\u00fdF\u0097\u00d9\u00ec7\u00de"; d.text() != want {
		t.Errorf("%q, not %q", d.text(), want)
	}
}

func TestWhatIsNoMessageIsTold(t *testing.T) {
	// A status report, from (2).
	if _, err := parseDelivery("07914356060013F1065A098136397339F7219011700463802190117004638030"); !errors.Is(err, errNoDelivery) {
		t.Errorf("a status report: %v", err)
	}
	whole := publishedDeliveries[0].pdu
	for n := range len(whole) {
		if _, err := parseDelivery(whole[:n]); err == nil {
			t.Errorf("cut off after %d digits it is read all the same", n)
		}
	}
}

// From (3), whose validity of 4 days is changed to ours of 4 h (0x2F for 0xAA,
// TS 23.040 §9.2.3.12.1), and (1).
func TestPublishedMessagesAreWritten(t *testing.T) {
	for _, c := range []struct {
		to, text string
		ref      byte
		want     []string
	}{
		{"+46708251358", "hellohello", 0, []string{"0011000B916407281553F80000AA0AE8329BFD4697D9EC37"}},
		{"+34616585119", "hola", 0, []string{"0011000B914316565811F90000AA04E8373B0C"}},
		{"+34 654 123 456", "Hölä", 0, []string{"0011000B914356143254F60000AA04483E7B0F"}},
		{"655345678", "Русский", 0, []string{"001100098156355476F80008AA0E0420044304410441043A04380439"}},
		{"655345678", "Or walk with Kings - nor lose the common touch, if neither foes nor loving friends can hurt you, If all men count with you, but none too much; If you can fill the unforgiving minute With sixty seconds' worth of distance run, Yours is the Earth and everything thats in it, And - which is more - you will be a Man, my son", 136, []string{
			"005100098156355476F80000AAA00500038803019E72D03DCC5E83EE693A1AB44CBBCF73500BE47ECB41ECF7BC0CA2A3CBA0F1BBDD7EBB41F4777D8C6681D26690BB9CA6A3CB7290F95D9E83DC6F3988FDB6A7DD6790599E2EBBC973D038EC06A1EB723A28FFAEB340493328CC6683DA653768FCAEBBE9A07B9A8E06E5DF7516485CA783DC6F7719447FBF41EDFA18BD0325CDA0FCBB0E1A87DD",
			"005100098156355476F80000AAA005000388030240E6349B0DA2A3CBA0BADBFC969FD3F6B4FB0C6AA7DD757A19744DD3D1A0791A4FCF83E6E5F1DB4D9E9F40F7B79C8E06BDCD20727A4E0FBBC76590BCEE6681B2EFBA7C0E4ACF41747419540CCBE96850D84D0695ED65799E8E4EBBCF203A3A4C9F83D26E509ACE0205DD64500B7447A7C768507A0E6ABFE565500B947FD741F7349B0D129741",
			"005100098156355476F80000AA14050003880303C2A066D8CD02B5F3A0F9DB0D",
		}},
	} {
		got, err := submissions(c.to, c.text, c.ref)
		if err != nil {
			t.Fatal(err)
		}
		var pdus []string
		for _, s := range got {
			pdus = append(pdus, s.pdu)
			if s.length != len(s.pdu)/2-1 {
				t.Errorf("%.10s: length %d of %d octets", c.text, s.length, len(s.pdu)/2)
			}
		}
		for i, w := range c.want {
			c.want[i] = strings.Replace(w, "00AA", "002F", 1)
			c.want[i] = strings.Replace(c.want[i], "08AA", "082F", 1)
		}
		if !slices.Equal(pdus, c.want) {
			t.Errorf("%.10s:\n%s\nnot\n%s", c.text, strings.Join(pdus, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

// The figures of (3), TestSubmitPduCounts and test_converting_timedelta.
func TestPartsAndValidityAreCounted(t *testing.T) {
	for _, c := range []struct {
		text string
		want int
	}{
		{strings.Repeat("x", 160), 1}, {strings.Repeat("x", 161), 2}, {strings.Repeat("x", 153*2), 2}, {strings.Repeat("x", 153*2+1), 3},
		{strings.Repeat("€", 80), 1}, {strings.Repeat("€", 79) + "x", 1}, {strings.Repeat("€", 153), 3}, {strings.Repeat("€", 229) + "x", 4},
		{strings.Repeat("ж", 70), 1}, {strings.Repeat("ж", 70) + "x", 2}, {strings.Repeat("ж", 67*2), 2}, {strings.Repeat("ж", 67*2) + "x", 3},
		{strings.Repeat("😀", 33*2), 2}, {strings.Repeat("😀", 33*2+1), 3}, // no pair is split: 33 each
	} {
		if parts, _ := userData(c.text); len(parts) != c.want {
			t.Errorf("%d × %.4s: %d parts, not %d", len([]rune(c.text)), c.text, len(parts), c.want)
		}
	}
	for d, want := range map[time.Duration]byte{5 * time.Minute: 0, 10 * time.Minute: 1, 12 * time.Hour: 143, 13 * time.Hour: 145, 24 * time.Hour: 167, 48 * time.Hour: 168, 30 * 24 * time.Hour: 196} {
		if got := validity(d); got != want {
			t.Errorf("valid for %v is %d, not %d", d, got, want)
		}
	}
}

// Unicode's table for GSM 03.38 (GSM0338.TXT), at places that are easily wrong.
func TestTheAlphabetIsGSM(t *testing.T) {
	if len(gsmAlphabet) != 128 {
		t.Fatalf("it has %d characters", len(gsmAlphabet))
	}
	for code, r := range map[byte]rune{0x00: '@', 0x02: '$', 0x09: 'Ç', 0x0A: '\n', 0x0D: '\r', 0x10: 'Δ', 0x11: '_', 0x1A: 'Ξ', 0x1C: 'Æ', 0x1F: 'É', 0x20: ' ', 0x24: '¤', 0x40: '¡', 0x41: 'A', 0x5A: 'Z', 0x5B: 'Ä', 0x5E: 'Ü', 0x5F: '§', 0x60: '¿', 0x61: 'a', 0x7B: 'ä', 0x7F: 'à'} {
		if gsmAlphabet[code] != r {
			t.Errorf("%#x is %q, not %q", code, gsmAlphabet[code], r)
		}
	}
}

// An escape at the end of a text, or to nothing known.
func TestEscapesToNothingAreRead(t *testing.T) {
	for _, c := range []struct {
		septets []byte
		want    string
	}{{[]byte{'a', 0x1B}, "a "}, {[]byte{0x1B, 'a'}, "a"}, {[]byte{0x1B, 0x1B, 'b'}, " b"}, {[]byte{0x1B, 0x65}, "€"}} {
		if got := gsmText(c.septets); got != c.want {
			t.Errorf("% x is %q, not %q", c.septets, got, c.want)
		}
	}
}

func TestPlainWritingSavesParts(t *testing.T) {
	m := sample("+447700900123")
	parts, wide := userData(plainGSM(withAnswers(m)))
	if wide || len(parts) != 2 {
		t.Errorf("a page takes %d parts, in UCS-2: %v", len(parts), wide)
	}
	for text, want := range map[string]string{
		"9.4 °C (2–8)": "9.4 C (2-8)", "−25–−15 °C": "-25...-15 C", "-25–-15": "-25...-15", "Kühlschrank „1“…": `Kühlschrank "1"...`,
		"ψυγείο 9.4 °C": "ψυγείο 9.4 °C", // needs UCS-2 in any case: stays as it is
	} {
		if got := plainGSM(text); got != want {
			t.Errorf("%q is written %q, not %q", text, got, want)
		}
	}
}

// Whatever is sent arrives: as the fake network, which reads bit by bit, has it.
func TestTextsArriveAsTheyAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var text string
		if rapid.Bool().Draw(t, "gsm") {
			text = string(rapid.SliceOfN(rapid.SampledFrom(slices.Concat(gsmAlphabet[:0x1B], gsmAlphabet[0x1C:], []rune("^{}\\[~]|€"))), 1, 700).Draw(t, "text"))
		} else {
			text = strings.ToValidUTF8(rapid.StringN(1, 300, -1).Draw(t, "text"), "?")
		}
		ref := rapid.Byte().Draw(t, "ref")
		subs, err := submissions("+447700900123", text, ref)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for i, s := range subs {
			r, err := readSubmit(s.pdu, s.length)
			if err != nil {
				t.Fatalf("part %d: %v", i+1, err)
			}
			if r.to != "+447700900123" || len(subs) > 1 && (r.ref != int(ref) || r.total != len(subs) || r.seq != i+1) {
				t.Fatalf("part %d of %d: %+v", i+1, len(subs), r)
			}
			got += r.text
		}
		if want := plainGSM(text); got != want && len(subs) < smsParts {
			t.Fatalf("%q, not %q", got, want)
		}
	})
}

func TestATextThatIsTooLongKeepsItsBeginningAndItsEnd(t *testing.T) {
	for _, unit := range []string{"x", "ж", "😀", "€"} {
		text := strings.Repeat(unit, 5000) + "\nAnswer 1 Going"
		subs, err := submissions("+447700900123", text, 1)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, s := range subs {
			r, err := readSubmit(s.pdu, s.length)
			if err != nil {
				t.Fatal(err)
			}
			got += r.text
		}
		if len(subs) != smsParts || !strings.HasPrefix(got, strings.Repeat(unit, 100)) || !strings.HasSuffix(got, "...\nAnswer 1 Going") {
			t.Errorf("%s: %d parts, ends in %q", unit, len(subs), got[max(0, len(got)-30):])
		}
	}
}

func TestWhatComesIsReadAsItWasSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.ToValidUTF8(rapid.StringN(1, 60, -1).Draw(t, "text"), "?")
		text = string(utf16.Decode(utf16.Encode([]rune(text))))
		from := "+" + rapid.StringMatching(`[1-9][0-9]{5,14}`).Draw(t, "from")
		zone := time.FixedZone("", rapid.IntRange(-48, 56).Draw(t, "quarters")*900)
		at := time.Unix(rapid.Int64Range(946771200, 2524521600).Draw(t, "at"), 0).In(zone)
		header := rapid.SampledFrom([][]byte{nil, {5, 0, 3, 9, 3, 2}, {6, 8, 4, 1, 9, 3, 2}, {4, 0x24, 1, 1, 0}}).Draw(t, "header")
		d, err := parseDelivery(deliver(from, text, at, header))
		if err != nil {
			t.Fatal(err)
		}
		if d.text() != text || d.from != from || !d.at.Equal(at) {
			t.Fatalf("%q from %s at %v, not %q from %s at %v", d.text(), d.from, d.at, text, from, at)
		}
		if wantSeq := map[int]int{6: 2, 7: 2}[len(header)]; d.seq != wantSeq {
			t.Fatalf("part %d, not %d", d.seq, wantSeq)
		}
	})
}

func FuzzDelivery(f *testing.F) {
	for _, c := range publishedDeliveries {
		o, err := hex.DecodeString(c.pdu)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(o)
	}
	f.Add([]byte{0, 0x40, 0, 0x81, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 5})
	f.Fuzz(func(t *testing.T, o []byte) {
		d, err := parseDelivery(hex.EncodeToString(o))
		if err != nil {
			return
		}
		if d.total != 0 && (d.seq < 1 || d.seq > d.total) {
			t.Errorf("part %d of %d", d.seq, d.total)
		}
		if len(d.units) > 2*160 { // each septet is at most one unit
			t.Errorf("%d units in a message", len(d.units))
		}
		if _, zone := d.at.Zone(); zone < -24*3600 || zone > 24*3600 {
			t.Errorf("zone %d s", zone)
		}
	})
}
