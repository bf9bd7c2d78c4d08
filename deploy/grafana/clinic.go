package grafana

// status says how units stand, in the first word that fits:
//
//	2  out of range, also while the data of the excursion are lost
//	0  no data: none of its probes is up, or time went unmonitored just now
//	3  one of its probes fails: what judges the unit may be the one
//	1  in range
//	0  no data: its daemon was heard within a day, and is not any more
//
// In range comes after all that would make it a lie.
func status(matchers string) string {
	const by = " by (job, instance, unit) "
	return `(2 * (max` + by + `(coldkeep_unit_out_of_range` + matchers + `) == 1))
		or (max` + by + `(coldkeep_probe_up` + matchers + `) == 0)
		or (0 * (max` + by + `(rate(coldkeep_unit_unmonitored_seconds_total` + matchers + `[$__rate_interval])) > 0))
		or (3 + (min` + by + `(coldkeep_probe_up` + matchers + `) == 0))
		or (max` + by + `(coldkeep_probe_up` + matchers + `))
		or (0 * max` + by + `(last_over_time(coldkeep_unit_range_high_celsius` + matchers + `[1d])))`
}

func statusWords() []Mapping {
	return words(Word{Text: "? NO DATA", Color: grey}, Word{Text: "✔ IN RANGE", Color: green}, Word{Text: "▲ OUT OF RANGE", Color: red}, Word{Text: "! A PROBE FAILS", Color: orange})
}

// flags says of batches whether they are flagged: 1, 0, or −1 where their
// daemon was heard within a day and is not any more. A batch that left storage
// while its daemon runs is not told.
func flags(matchers string) string {
	return `max by (job, instance, unit, batch) (coldkeep_batch_flagged` + matchers + `
		or ((last_over_time(coldkeep_batch_flagged` + matchers + `[1d]) * 0 - 1) unless on (job, instance) coldkeep_build_info{@}))`
}

func flagWords() []Mapping {
	return orUnheard(words(Word{Text: "not flagged", Color: green}, Word{Text: "▲ FLAGGED: ASK FIRST", Color: red}))
}

// daemons says of each target that was a coldkeep within a day whether it
// answers. All jobs are chosen where none is, and not all are coldkeeps.
const daemons = `up{@} and on (job, instance) last_over_time(coldkeep_build_info{@}[1d])`

// ages is a table of the probes, with how old their newest readings are: the
// age goes on to grow when nobody reads them any more.
func ages(matchers string, w, h int) Panel {
	return table("Probes: age of the newest reading", "How long ago each probe was read, in vain or not, and whether that gave a temperature. NOT HEARD: its daemon does not answer; "+
		"the age is that of the last reading it told of, at most a day ago.", "none", w, h,
		[]column{{"unit", "Unit"}, {"probe", "Probe"}, {"Value #A", "Age"}, {"Value #B", "State"}, {"instance", "Instance"}},
		ask(`time() - max by (job, instance, unit, probe) (last_over_time(coldkeep_probe_last_reading_timestamp_seconds`+matchers+`[1d]))`, ""),
		ask(`max by (job, instance, unit, probe) (coldkeep_probe_up`+matchers+` or (last_over_time(coldkeep_probe_up`+matchers+`[1d]) * 0 - 1))`, "")).
		cell("Age", Property{"unit", "dtdhms"}, Property{"thresholds", steps(green, Step{orange, at(60)}, Step{red, at(300)})}).
		cell("State", Property{"mappings", orUnheard(words(Word{Text: "▲ FAILS", Color: red}, Word{Text: "✔ reads", Color: green}))})
}

func verdicts(matchers string, w, h int) Panel {
	return stat("Batches by verdict", "How many batches are in storage now, by what the record says of them. Quarantined: do not use. Excursion: ask first.", "short", w, h,
		ask(`sum by (verdict) (coldkeep_batches`+matchers+`)`, "{{verdict}}")).
		override("byRegexp", "/^(quarantined|unknown|expired)$/", Property{"thresholds", steps(grey, Step{red, at(1)})}).
		override("byName", "excursion", Property{"thresholds", steps(grey, Step{orange, at(1)})})
}

// clinic is for the wall: everything at a glance.
func clinic() Dashboard {
	return draw("clinic", "Clinic", "All units at a glance: how they stand, what is out of range, who has taken the alarms, which batches are flagged, and how old all of this is.", "24h", nil,
		stat("Units now", "How each unit stands. NO DATA: no probe is up, its time is unmonitored, or its daemon was heard within a day and is not any more. "+
			"A unit is in range only while all of its probes read and no excursion is open.", "none", 24, 5,
			ask(status("{@}"), "{{unit}} · {{instance}}")).worded(statusWords()),
		stat("Daemons", "Whether Prometheus reaches each daemon. While one does not answer, nothing is known of its units, whatever other panels still show.", "none", 8, 4,
			ask(daemons, "{{instance}}")).worded(words(Word{Text: "▲ DOES NOT ANSWER", Color: red}, Word{Text: "✔ answers", Color: green})),
		stat("Alarms now", "Open alarms, by severity and by what people have made of them. None are told while no daemon answers.", "short", 16, 4,
			ask(`sum by (severity, state) (coldkeep_alarms{@})`, "{{severity}}, {{state}}")).
			override("byRegexp", "/, raised$/", Property{"thresholds", steps(grey, Step{red, at(1)})}).
			override("byRegexp", "/, (acknowledged|shelved)$/", Property{"thresholds", steps(grey, Step{orange, at(1)})}),
		timeline("Excursions", "How each unit stood. Out of range lasts until the temperature has returned, also while data are lost. "+
			"NO DATA begins when no probe is up or the daemon is not heard.", 24, 8, statusWords(),
			ask(status("{@}"), "{{unit}} · {{instance}}")),
		timeline("Alarms", "Per severity, the worst state that any open alarm was in. Raised: nobody has taken it. A gap: the daemon was not heard.", 24, 6,
			words(Word{Text: "none", Color: green}, Word{Text: "shelved", Color: blue}, Word{Text: "acknowledged", Color: orange}, Word{Text: "▲ RAISED", Color: red}),
			ask(`max by (job, instance, severity) ((3 * (coldkeep_alarms{@, state="raised"} > bool 0)) or (2 * (coldkeep_alarms{@, state="acknowledged"} > bool 0))
				or (coldkeep_alarms{@, state="shelved"} > bool 0))`, "{{severity}} · {{instance}}")),
		graph("Temperature", "Every probe. A gap: the probe gave no temperature, or its daemon was not heard.", "celsius", 24, 10,
			ask(`coldkeep_probe_temperature_celsius{@}`, "{{unit}} {{probe}} · {{instance}}")).decimals(3),
		table("Flagged batches", "Batches in storage that are out of range or quarantined, and those of which nothing is heard any more: ask before use.", "none", 12, 9,
			[]column{{"batch", "Batch"}, {"unit", "Unit"}, {"Value", "Flag"}, {"instance", "Instance"}},
			ask(flags("{@}")+` != 0`, "")).cell("Flag", Property{"mappings", flagWords()}),
		ages("{@}", 12, 9),
		verdicts("{@}", 24, 4),
	)
}
