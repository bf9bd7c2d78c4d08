package mqtt

import (
	"encoding/json"
	"fmt"
	"strings"

	"coldkeep/internal/coldchain"
)

// merge adds the fields of a struct. What lies in a struct of its own comes
// under that one's name; lists are joined by commas.
func (f fields) merge(v any) error { return f.under("", v) }

func (f fields) under(prefix string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return f.flatten(prefix, raw)
}

func (f fields) flatten(prefix string, raw []byte) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("flatten %q: %w", prefix, err)
	}
	for k, x := range m {
		k = prefix + k
		switch x[0] {
		case 'n': // null: not known
		case '{':
			if err := f.flatten(k+"_", x); err != nil {
				return err
			}
		case '[':
			var list []json.RawMessage
			if err := json.Unmarshal(x, &list); err != nil {
				return fmt.Errorf("flatten %s: %w", k, err)
			}
			texts := make([]string, len(list))
			for i, y := range list {
				if json.Unmarshal(y, &texts[i]) != nil {
					texts[i] = string(y) // no text: as it is written
				}
			}
			f[k] = strings.Join(texts, ",")
		default:
			f[k] = x
		}
	}
	return nil
}

// event adds what an event says. What it holds in structs of its own comes
// under their names (arrival_logger, origin_maker, paper_sha256, readout_first),
// a list of them as one text. Of a label only what it is called goes along, and
// the whole config and the text of messages stay in the journal.
func (f fields) event(ev coldchain.Event) error {
	call, check, label := ev.Call, ev.Check, ev.Label
	texts := map[string]string{}
	for _, s := range ev.Spent {
		amount := fmt.Sprintf("%g s", s.S)
		if s.Cycles != 0 {
			amount = fmt.Sprintf("%d cycles", s.Cycles)
		}
		texts["spent"] += "; " + s.Rule + " " + amount
	}
	for _, p := range ev.Points {
		texts["points"] += fmt.Sprintf("; %s is %s", p.Reads, p.Is)
	}
	for _, c := range ev.Counted {
		texts["counted"] += "; " + c.Batch
		if c.Vials > 0 {
			texts["counted"] += fmt.Sprintf(" %d", c.Vials)
		}
	}
	for _, d := range ev.Differs {
		texts["differs"] += fmt.Sprintf("; %s %d recorded %d found", d.Batch, d.Recorded, d.Found)
	}
	ev.Config, ev.Call, ev.Check, ev.Label, ev.Spent, ev.Points, ev.Counted, ev.Differs = nil, nil, nil, nil, nil, nil, nil, nil
	if err := f.merge(ev); err != nil {
		return err
	}
	for k, s := range texts {
		f[k] = strings.TrimPrefix(s, "; ")
	}
	if label != nil {
		f["label_id"], f["label_title"], f["label_source"], f["label_range"] = label.ID, label.Title, label.Source, label.RangeText()
	}
	if call != nil {
		call.Body = ""
		if err := f.merge(call); err != nil {
			return err
		}
	}
	if check != nil {
		return f.merge(check)
	}
	return nil
}
