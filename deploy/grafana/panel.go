package grafana

import (
	"slices"
	"strings"
)

// chosen is the data source that the variable says.
var chosen = Source{Type: "prometheus", UID: "${datasource}"}

// The colours of WORDS: never alone, always with a word.
const (
	green  = "green"
	red    = "red"
	orange = "orange"
	blue   = "blue"
	grey   = "#808080"
)

// matched puts the matchers of job and instance, which every query has, where
// "{@" stands.
func matched(expr string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(expr), " "), "{@", `{job=~"$job", instance=~"$instance"`)
}

// A query is what is asked, and how its series are called.
type query struct{ expr, legend string }

func ask(expr, legend string) query { return query{expr, legend} }

// words maps values to words and their colours, in order: 0, 1, 2 and so on.
// The first says what is not known or not so.
func words(list ...Word) []Mapping {
	m := Mapping{Type: "value", Options: map[string]Word{}}
	for i, w := range list {
		w.Index = i
		m.Options[string(rune('0'+i))] = w
	}
	return []Mapping{m}
}

// orUnheard adds the word for −1, which is what a daemon that went silent
// leaves behind.
func orUnheard(m []Mapping) []Mapping {
	m[0].Options["-1"] = Word{Text: "? NOT HEARD", Color: grey, Index: len(m[0].Options)}
	return m
}

func at(v float64) *float64 { return &v }

// steps are colours from a value on; the first is from the lowest.
func steps(first string, more ...Step) Thresholds {
	return Thresholds{Mode: "absolute", Steps: append([]Step{{Color: first}}, more...)}
}

// panel is what all kinds of panels have in common.
func panel(kind, title, about, unit string, w, h int, instant bool, queries []query) Panel {
	p := Panel{Type: kind, Title: title, Description: about, Datasource: chosen, GridPos: GridPos{W: w, H: h},
		FieldConfig: FieldConfig{Defaults: Field{Unit: unit, NoValue: "NO DATA", Mappings: []Mapping{}, Color: map[string]any{"mode": "thresholds"},
			Thresholds: steps(grey), Custom: map[string]any{}}, Overrides: []Override{}},
		Options: map[string]any{}}
	for i, q := range queries {
		t := Target{RefID: string(rune('A' + i)), Datasource: chosen, Expr: matched(q.expr), LegendFormat: q.legend, Instant: instant, Range: !instant, Format: "time_series"}
		p.Targets = append(p.Targets, t)
	}
	return p
}

// stat shows what is now. It asks for now: the last value of the time shown
// would go on to look alive.
func stat(title, about, unit string, w, h int, queries ...query) Panel {
	p := panel("stat", title, about, unit, w, h, true, queries)
	p.Options = map[string]any{"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false}, "colorMode": "background_solid", "graphMode": "none",
		"justifyMode": "auto", "orientation": "auto", "textMode": "value_and_name", "wideLayout": true}
	return p
}

// graph shows values over time, with gaps as gaps.
func graph(title, about, unit string, w, h int, queries ...query) Panel {
	p := panel("timeseries", title, about, unit, w, h, false, queries)
	p.FieldConfig.Defaults.Color = map[string]any{"mode": "palette-classic"}
	p.FieldConfig.Defaults.Custom = map[string]any{"drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 2, "fillOpacity": 0, "spanNulls": false, "insertNulls": false,
		"showPoints": "auto", "pointSize": 4, "axisPlacement": "auto", "thresholdsStyle": map[string]any{"mode": "off"}}
	p.Options = map[string]any{"legend": map[string]any{"showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": []string{}},
		"tooltip": map[string]any{"mode": "multi", "sort": "desc"}}
	return p
}

// timeline shows states over time, each with its word on the bar.
func timeline(title, about string, w, h int, m []Mapping, queries ...query) Panel {
	p := panel("state-timeline", title, about, "none", w, h, false, queries)
	p.FieldConfig.Defaults.Mappings = m
	p.FieldConfig.Defaults.Custom = map[string]any{"spanNulls": false, "insertNulls": false, "fillOpacity": 80, "lineWidth": 0}
	p.Options = map[string]any{"mergeValues": true, "showValue": "auto", "alignValue": "left", "rowHeight": 0.9,
		"legend": map[string]any{"showLegend": true, "displayMode": "list", "placement": "bottom"}, "tooltip": map[string]any{"mode": "single", "sort": "none"}}
	return p
}

// A column of a table: a label, or "Value #A" and so on, and its heading.
type column struct{ field, heading string }

// table shows one row for each set of labels, with the values of its queries
// beside one another; all labels that are no columns are left out.
func table(title, about, unit string, w, h int, columns []column, queries ...query) Panel {
	p := panel("table", title, about, unit, w, h, true, queries)
	for i := range p.Targets {
		p.Targets[i].Format = "table"
	}
	p.FieldConfig.Defaults.Custom = map[string]any{"align": "auto", "cellOptions": map[string]any{"type": "auto"}, "filterable": false, "minWidth": 60}
	p.Options = map[string]any{"showHeader": true, "cellHeight": "sm"}
	shown, order, names := []string{}, map[string]any{}, map[string]any{}
	for i, c := range columns {
		shown = append(shown, c.field)
		order[c.field], names[c.field] = i, c.heading
	}
	p.Transformations = []Transformation{{ID: "merge", Options: map[string]any{}},
		{ID: "filterFieldsByName", Options: map[string]any{"include": map[string]any{"names": shown}}},
		{ID: "organize", Options: map[string]any{"excludeByName": map[string]any{}, "indexByName": order, "renameByName": names}}}
	return p
}

// The changes that panels make to the above.

func (p Panel) worded(m []Mapping) Panel {
	p.FieldConfig.Defaults.Mappings = m
	return p
}

func (p Panel) coloured(t Thresholds) Panel {
	p.FieldConfig.Defaults.Thresholds = t
	return p
}

func (p Panel) decimals(n int) Panel {
	p.FieldConfig.Defaults.Decimals = &n
	return p
}

func (p Panel) between(low, high float64) Panel {
	p.FieldConfig.Defaults.Min, p.FieldConfig.Defaults.Max = &low, &high
	return p
}

func (p Panel) empty(say string) Panel {
	p.FieldConfig.Defaults.NoValue = say
	return p
}

func (p Panel) every(step string) Panel {
	p.Interval = step
	return p
}

func (p Panel) override(matcher, of string, properties ...Property) Panel {
	p.FieldConfig.Overrides = append(slices.Clone(p.FieldConfig.Overrides), Override{Matcher{matcher, of}, properties})
	return p
}

// cell is how a column of a table looks: with a unit, words, or colours.
func (p Panel) cell(heading string, properties ...Property) Panel {
	return p.override("byName", heading, append(properties, Property{"custom.cellOptions", map[string]any{"type": "color-background", "mode": "basic"}})...)
}

// band draws the series "high" and "low" as the ends of a range.
func (p Panel) band() Panel {
	line := []Property{{"custom.lineWidth", 1}, {"custom.lineStyle", map[string]any{"fill": "dash", "dash": []int{8, 8}}}, {"custom.showPoints", "never"}}
	high := append(slices.Clone(line), Property{"color", fixed(red)}, Property{"custom.fillBelowTo", "low"}, Property{"custom.fillOpacity", 8})
	low := append(slices.Clone(line), Property{"color", fixed(blue)})
	return p.override("byName", "high", high...).override("byName", "low", low...)
}

// shaded draws the series of that name as grey areas behind all others, on an
// axis of their own from 0 to 1.
func (p Panel) shaded(name string) Panel {
	return p.override("byName", name, Property{"color", fixed(grey)}, Property{"unit", "none"}, Property{"min", 0}, Property{"max", 1}, Property{"custom.axisPlacement", "hidden"},
		Property{"custom.lineWidth", 0}, Property{"custom.fillOpacity", 35}, Property{"custom.showPoints", "never"}, Property{"custom.drawStyle", "bars"}, Property{"custom.barWidthFactor", 1},
		Property{"mappings", words(Word{Text: "no", Color: grey}, Word{Text: "? UNMONITORED", Color: grey})})
}

func fixed(color string) map[string]any {
	return map[string]any{"mode": "fixed", "fixedColor": color}
}

// labelled makes a variable of a metric's label.
func labelled(name, label, metric, matchers string) Variable {
	q := "label_values(" + metric + matchers + ", " + name + ")"
	return Variable{Name: name, Label: label, Type: "query", Datasource: &chosen, Query: q, Definition: q, Refresh: 2, Sort: 1, Current: map[string]any{}}
}

// all lets a variable be several values, or all.
func (v Variable) all() Variable {
	v.Multi, v.IncludeAll, v.AllValue = true, true, ".+"
	v.Current = map[string]any{"text": "All", "value": "$__all"}
	return v
}

// draw lays the panels out in rows, in their order, and gives them their ids.
func draw(uid, title, about, shown string, variables []Variable, panels ...Panel) Dashboard {
	d := Dashboard{UID: "coldkeep-" + uid, Title: "coldkeep / " + title, Description: about, Tags: []string{"coldkeep"}, SchemaVersion: 39, Version: 1, Timezone: "browser",
		Refresh: "30s", GraphTooltip: 1, Time: TimeRange{From: "now-" + shown, To: "now"}, Annotations: Annotations{List: []struct{}{}},
		Links: []Link{{Title: "coldkeep", Type: "dashboards", Tags: []string{"coldkeep"}, IncludeVars: true, KeepTime: true}}}
	d.Templating.List = append([]Variable{
		{Name: "datasource", Label: "Data source", Type: "datasource", Query: "prometheus", Refresh: 1, Current: map[string]any{}},
		labelled("job", "Job", "coldkeep_build_info", "").all(),
		labelled("instance", "Instance", "coldkeep_build_info", `{job=~"$job"}`).all()}, variables...)
	x, y, tall := 0, 0, 0
	for i, p := range panels {
		if x+p.GridPos.W > 24 {
			x, y, tall = 0, y+tall, 0
		}
		p.ID, p.GridPos.X, p.GridPos.Y = i+1, x, y
		x, tall = x+p.GridPos.W, max(tall, p.GridPos.H)
		d.Panels = append(d.Panels, p)
	}
	return d
}

// All are the dashboards, by the names of their files.
func All() map[string]Dashboard {
	return map[string]Dashboard{"clinic.json": clinic(), "unit.json": unit(), "batch.json": batch(), "operations.json": operations()}
}
