// Package grafana draws the dashboards: four of Grafana's classic JSON files,
// for Grafana 10 and later. They are drawn by a program so that
// every panel has the same data source, matchers, mappings and gaps;
// `go generate ./deploy/grafana` writes them into dashboards/.
//
// What every panel owes to whoever looks at it: a value that is not known is
// not drawn, or is called so. Graphs are never joined across a gap, what tells
// of now asks for now and not for the last that was there, and a unit, probe or
// batch of a daemon that went silent is told as not heard.
//
// It knows no Prometheus: the queries are checked by deploy/check, and run by
// the system test in cmd/coldkeep.
package grafana

//go:generate go run coldkeep/deploy/grafana/write dashboards

// A Dashboard is one file, as Grafana reads it.
type Dashboard struct {
	UID           string      `json:"uid"`
	Title         string      `json:"title"`
	Description   string      `json:"description"`
	Tags          []string    `json:"tags"`
	SchemaVersion int         `json:"schemaVersion"`
	Version       int         `json:"version"`
	Editable      bool        `json:"editable"`
	Timezone      string      `json:"timezone"`
	Refresh       string      `json:"refresh"`
	GraphTooltip  int         `json:"graphTooltip"` // 1: the crosshair is shared
	Time          TimeRange   `json:"time"`
	Templating    Templating  `json:"templating"`
	Annotations   Annotations `json:"annotations"`
	Links         []Link      `json:"links"`
	Panels        []Panel     `json:"panels"`
}

// A TimeRange is what is shown at first.
type TimeRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Templating holds the variables.
type Templating struct {
	List []Variable `json:"list"`
}

// Annotations are none: what happened stands in panels of its own.
type Annotations struct {
	List []struct{} `json:"list"`
}

// A Variable is chosen at the top of the dashboard.
type Variable struct {
	Name       string         `json:"name"`
	Label      string         `json:"label"`
	Type       string         `json:"type"`
	Datasource *Source        `json:"datasource,omitempty"`
	Query      string         `json:"query"`
	Definition string         `json:"definition,omitempty"`
	Refresh    int            `json:"refresh"` // 2: with the time range, so that what is gone can still be chosen
	Sort       int            `json:"sort"`    // 1: by the alphabet
	Multi      bool           `json:"multi"`
	IncludeAll bool           `json:"includeAll"`
	AllValue   string         `json:"allValue,omitempty"`
	Current    map[string]any `json:"current"`
	Hide       int            `json:"hide"`
}

// A Source is the data source of a panel, a query or a variable.
type Source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// A Link leads to the other dashboards.
type Link struct {
	Title       string   `json:"title"`
	Type        string   `json:"type"`
	Tags        []string `json:"tags"`
	AsDropdown  bool     `json:"asDropdown"`
	IncludeVars bool     `json:"includeVars"`
	KeepTime    bool     `json:"keepTime"`
}

// A Panel is one picture.
type Panel struct {
	ID              int              `json:"id"`
	Type            string           `json:"type"`
	Title           string           `json:"title"`
	Description     string           `json:"description"`
	Datasource      Source           `json:"datasource"`
	GridPos         GridPos          `json:"gridPos"`
	Interval        string           `json:"interval,omitempty"` // the smallest step
	Targets         []Target         `json:"targets"`
	FieldConfig     FieldConfig      `json:"fieldConfig"`
	Options         map[string]any   `json:"options"`
	Transformations []Transformation `json:"transformations,omitempty"`
}

// A GridPos is a place in a grid that is 24 wide; on a phone Grafana puts the
// panels under one another and keeps their heights.
type GridPos struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

// A Target is one query.
type Target struct {
	RefID        string `json:"refId"`
	Datasource   Source `json:"datasource"`
	Expr         string `json:"expr"`
	LegendFormat string `json:"legendFormat"`
	Instant      bool   `json:"instant"`
	Range        bool   `json:"range"`
	Format       string `json:"format"`
}

// A FieldConfig says how values look.
type FieldConfig struct {
	Defaults  Field      `json:"defaults"`
	Overrides []Override `json:"overrides"`
}

// A Field is how values look where no override says otherwise.
type Field struct {
	Unit       string         `json:"unit"`
	Decimals   *int           `json:"decimals,omitempty"`
	Min        *float64       `json:"min,omitempty"`
	Max        *float64       `json:"max,omitempty"`
	NoValue    string         `json:"noValue"`
	Color      map[string]any `json:"color"`
	Mappings   []Mapping      `json:"mappings"`
	Thresholds Thresholds     `json:"thresholds"`
	Custom     map[string]any `json:"custom"`
}

// A Mapping gives values their words and colours.
type Mapping struct {
	Type    string          `json:"type"`
	Options map[string]Word `json:"options"`
}

// A Word stands for a value.
type Word struct {
	Text  string `json:"text"`
	Color string `json:"color"`
	Index int    `json:"index"`
}

// Thresholds colour values by their size.
type Thresholds struct {
	Mode  string `json:"mode"`
	Steps []Step `json:"steps"`
}

// A Step is the colour from a value on; nil is from the lowest.
type Step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

// An Override is how the values of one query or column look.
type Override struct {
	Matcher    Matcher    `json:"matcher"`
	Properties []Property `json:"properties"`
}

// A Matcher says of what the override is.
type Matcher struct {
	ID      string `json:"id"`
	Options string `json:"options"`
}

// A Property is one thing that is otherwise.
type Property struct {
	ID    string `json:"id"`
	Value any    `json:"value"`
}

// A Transformation changes tables before they are shown.
type Transformation struct {
	ID      string         `json:"id"`
	Options map[string]any `json:"options"`
}
