package coldchain

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"coldkeep/sensor"
)

// maxName is how long a name may be that a person gives to a paper or to what
// it says, in bytes.
const maxName = 200

// Text names the kind of paper for people.
func (k PaperKind) Text() string {
	switch k {
	case PaperCertificate:
		return "certificate of analysis"
	case PaperLaboratory:
		return "independent laboratory's result"
	case PaperLogger:
		return "logger's read-out"
	case PaperDecision:
		return "maker's decision"
	case PaperOther:
		return "other paper"
	case PaperOrigin:
		return "where it comes from"
	}
	return string(k)
}

// Lacks names what of the origin has not been told: maker, product, source;
// and the tissue where the source is cells of a human or an animal.
func (o *Origin) Lacks() (list []string) {
	if o == nil {
		o = &Origin{}
	}
	for _, x := range []struct{ name, is string }{{"maker", o.Maker}, {"product", o.Product}, {"source", o.Source}} {
		if x.is == "" {
			list = append(list, x.name)
		}
	}
	if (o.Source == "human" || o.Source == "animal") && o.Tissue == "" {
		list = append(list, "tissue")
	}
	return list
}

// Text tells the origin in one line; "" where nothing of it is known.
func (o *Origin) Text() string {
	if o == nil {
		return ""
	}
	source := o.Source
	switch {
	case (o.Source == "human" || o.Source == "animal") && o.Tissue != "":
		source = o.Source + " cells, " + o.Tissue
	case o.Source == "human" || o.Source == "animal":
		source = o.Source + " cells"
	case o.Tissue != "":
		source = strings.TrimPrefix(o.Source+", "+o.Tissue, ", ")
	}
	var list []string
	for _, s := range []string{o.Product, o.Maker, source} {
		if s != "" {
			list = append(list, s)
		}
	}
	return strings.Join(list, "; ")
}

// fields are those of an origin with their names, in order.
func (o *Origin) fields() []struct {
	name string
	is   *string
} {
	return []struct {
		name string
		is   *string
	}{{"maker", &o.Maker}, {"product", &o.Product}, {"source", &o.Source}, {"tissue", &o.Tissue}}
}

// tidy cuts the spaces around what was told, and refuses what cannot be so.
func (o Origin) tidy() (Origin, error) {
	for _, x := range o.fields() {
		*x.is = strings.TrimSpace(*x.is)
		if len(*x.is) > maxName || strings.ContainsFunc(*x.is, unicode.IsControl) {
			return o, refuse("bad_request", "the %s cannot be written like that: it is at most %d letters on one line", x.name, maxName)
		}
	}
	if o.Source = strings.ToLower(o.Source); o.Source != "" && !slices.Contains(OriginSources, o.Source) {
		return o, refuse("bad_request", "source %q: what its cells or vesicles come from is %s", o.Source, oneOf(OriginSources))
	}
	return o, nil
}

// with puts what is told anew over what is known. What differs needs a reason.
func (o *Origin) with(told Origin, reason string) (Origin, error) {
	told, err := told.tidy()
	if err != nil {
		return told, err
	}
	if told == (Origin{}) {
		return told, refuse("bad_request", "nothing is told of where it comes from: give --maker, --product, --source or --tissue")
	}
	var all Origin
	if o != nil {
		all = *o
	}
	was, now := all.fields(), told.fields()
	for i, x := range now {
		switch {
		case *x.is == "":
			continue
		case *was[i].is != "" && *was[i].is != *x.is && strings.TrimSpace(reason) == "":
			return told, refuse("conflict", "the %s was told as %q, and now as %q: if that was wrong, say why: --reason TEXT", x.name, *was[i].is, *x.is)
		}
		*was[i].is = *x.is
	}
	return all, nil
}

// orderAttach takes a paper of a batch into the record, or what its papers say
// of where it comes from, or both; also of a batch that is used or discarded.
// That the record has the file, and how large it is, the caller has seen to.
func (e *Evaluator) orderAttach(ev Event, c Command, b *batch) (Event, error) {
	if c.At < b.Received {
		return ev, refuse("conflict", "batch %s was received at %s: a paper is attached from then on", b.id(), b.Received)
	}
	if c.Paper == nil && c.Origin == nil {
		return ev, refuse("bad_request", "what is attached to batch %s? a FILE with --kind and --checked-by, or where it comes from: --maker, --product, --source, --tissue", b.id())
	}
	ev.Kind, ev.Unit = PaperAttached, b.unitID()
	if c.Origin != nil {
		o, err := b.Life.Origin.with(*c.Origin, c.Reason)
		if err != nil {
			return ev, err
		}
		ev.Origin = &o
	}
	if c.Paper == nil {
		return ev, nil
	}
	p := Paper{SHA256: strings.ToLower(c.Paper.SHA256), Name: baseName(c.Paper.Name), Kind: c.Paper.Kind, Bytes: c.Paper.Bytes, Checked: strings.TrimSpace(c.Paper.Checked), At: c.At, By: c.By}
	switch {
	case !slices.Contains(PaperKinds, p.Kind):
		var kinds []string
		for _, k := range PaperKinds {
			kinds = append(kinds, string(k))
		}
		return ev, refuse("bad_request", "kind %q of paper: it is one of %s", p.Kind, strings.Join(kinds, ", "))
	case p.Name == "":
		return ev, refuse("bad_request", "the paper needs the name of its file, at most %d letters on one line", maxName)
	case p.Checked == "":
		return ev, refuse("bad_request", "who has looked at %s? give --checked-by NAME", p.Name)
	case len(p.Checked) > maxName || strings.ContainsFunc(p.Checked, unicode.IsControl):
		return ev, refuse("bad_request", "who has looked at it is a name of at most %d letters on one line", maxName)
	}
	for _, x := range b.Life.Papers {
		if x.SHA256 == p.SHA256 && x.Kind == p.Kind {
			return ev, refuse("conflict", "batch %s has this very file already, as %s since %s (%s)", b.id(), x.Kind.Text(), x.At, x.Name)
		}
	}
	ev.Paper = &p
	return ev, nil
}

// baseName is the last part of a file's name, as either kind of system writes
// it; "" where it is no name.
func baseName(s string) string {
	if i := strings.LastIndexAny(s, `/\`); i >= 0 {
		s = s[i+1:]
	}
	s = strings.TrimSpace(s)
	if len(s) > maxName || strings.ContainsFunc(s, unicode.IsControl) {
		return ""
	}
	return s
}

// attach gives a batch the paper of an event and what it says of its origin,
// and so to all that was split off it: they are the same vials.
func (e *Evaluator) attach(b *batch, ev Event) {
	b.attach(ev)
	for _, x := range e.batches {
		if strings.EqualFold(x.Life.FromBatch, b.id()) && x != b {
			e.attach(x, ev)
		}
	}
}

func (b *batch) attach(ev Event) {
	if o := ev.Origin; o != nil {
		if len(b.Life.Origin.Lacks()) > 0 {
			b.Life.OriginAt = ev.Time
		}
		told := *o
		b.Life.Origin = &told
	}
	if p := ev.Paper; p != nil {
		known := slices.ContainsFunc(b.Life.Papers, func(x Paper) bool { return x.SHA256 == p.SHA256 && x.Kind == p.Kind })
		if !known {
			// Clipped: what was split off may share what came before.
			b.Life.Papers = append(slices.Clip(b.Life.Papers), *p)
		}
	}
}

// missing are the papers that the label demands and that were not there at t.
func (b *batch) missing(t sensor.Instant) (list []PaperKind) {
	for _, k := range b.profile.Demands {
		there := slices.ContainsFunc(b.Life.Papers, func(p Paper) bool { return p.Kind == k && p.At <= t })
		if k == PaperOrigin {
			there = len(b.Life.Origin.Lacks()) == 0 && b.Life.OriginAt <= t
		}
		if !there {
			list = append(list, k)
		}
	}
	return list
}

// missingText names them for people: "certificate of analysis; where it comes
// from (tissue)".
func missingText(list []PaperKind, o *Origin) string {
	var names []string
	for _, k := range list {
		name := k.Text()
		if lacks := o.Lacks(); k == PaperOrigin && len(lacks) > 0 && len(lacks) < 3 {
			name += fmt.Sprintf(" (%s)", strings.Join(lacks, ", "))
		}
		names = append(names, name)
	}
	return strings.Join(names, "; ")
}

// showPapers fills in what is written of the batch, and what is missing of it.
func (b *batch) showPapers(s *BatchState) {
	s.Arrival, s.Origin, s.OriginAt = b.Life.Arrival, b.Life.Origin, b.Life.OriginAt
	s.Papers, s.Missing = b.Life.Papers, b.missing(never) // what is attached later is put into another list
}

// MissingText names the papers that the label demands and that are not there;
// "" where there are none.
func (b *BatchState) MissingText() string { return missingText(b.Missing, b.Origin) }
