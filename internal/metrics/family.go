package metrics

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// A metric is what is said of one: its name, what it means, and the names of
// its labels, sorted.
type metric struct {
	name, help string
	labels     []string
	order      []int // the place of each label's value as the caller gives them
	desc       *prometheus.Desc
}

func desc(name, help string, labels ...string) *metric {
	m := &metric{name: "coldkeep_" + name, help: help, desc: prometheus.NewDesc("coldkeep_"+name, help, labels, nil)}
	for i := range labels {
		m.order = append(m.order, i)
	}
	slices.SortFunc(m.order, func(a, b int) int { return cmp.Compare(labels[a], labels[b]) })
	for _, i := range m.order {
		m.labels = append(m.labels, labels[i])
	}
	return m
}

// A sink takes one series.
type sink func(m *metric, kind prometheus.ValueType, v float64, labels ...string)

// Gather implements prometheus.Gatherer: the same as a registry makes of
// Collect, in a third of the time, since nothing is hashed, checked and sorted
// anew at each scrape. A test holds the two to be equal.
func (c *Collector) Gather() ([]*dto.MetricFamily, error) {
	families := map[*metric]*dto.MetricFamily{}
	c.walk(func(m *metric, kind prometheus.ValueType, v float64, labels ...string) {
		f := families[m]
		if f == nil {
			f = &dto.MetricFamily{Name: &m.name, Help: &m.help, Type: kind.ToDTO()}
			families[m] = f
		}
		pairs, list := make([]dto.LabelPair, len(labels)), make([]*dto.LabelPair, len(labels))
		for i, at := range m.order {
			pairs[i].Name, pairs[i].Value = &m.labels[i], &labels[at]
			list[i] = &pairs[i]
		}
		x := &dto.Metric{Label: list}
		if kind == prometheus.CounterValue {
			x.Counter = &dto.Counter{Value: &v}
		} else {
			x.Gauge = &dto.Gauge{Value: &v}
		}
		f.Metric = append(f.Metric, x)
	})
	var all []*dto.MetricFamily
	for _, f := range families {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return all, nil
}

// A pair of gatherers that have no metric in common.
type pair struct{ ours, others prometheus.Gatherer }

func (p pair) Gather() ([]*dto.MetricFamily, error) {
	a, err := p.ours.Gather()
	if err != nil {
		return nil, err
	}
	b, err := p.others.Gather()
	return append(a, b...), err // each is sorted, and ours come first in the alphabet
}
