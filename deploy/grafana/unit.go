package grafana

// unit is one fridge, freezer or box.
func unit() Dashboard {
	const m = `{@, unit=~"$unit"}`
	const by = ` by (job, instance, unit) `
	// Unmonitored: no probe of the unit is up, its daemon is not heard, or the
	// daemon counts the time as unmonitored.
	const dark = `(max` + by + `(last_over_time(coldkeep_unit_range_high_celsius` + m + `[1d])) * 0 + 1 unless (max` + by + `(coldkeep_probe_up` + m + `) == 1))
		or ((max` + by + `(rate(coldkeep_unit_unmonitored_seconds_total` + m + `[$__rate_interval])) > 0) * 0 + 1)`
	high, low := ask(`coldkeep_unit_range_high_celsius`+m, "high"), ask(`coldkeep_unit_range_low_celsius`+m, "low")
	return draw("unit", "Unit", "One unit: its temperature in its range, what went unmonitored, its probes, and the batches in it.", "24h",
		[]Variable{labelled("unit", "Unit", "coldkeep_unit_range_high_celsius", `{job=~"$job", instance=~"$instance"}`)},
		stat("Now", "How the unit stands. It is in range only while all of its probes read and no excursion is open.", "none", 8, 4,
			ask(status(m), "{{unit}} · {{instance}}")).worded(statusWords()),
		stat("Temperature now", "What its probes say now. Nothing is shown for a probe that does not read.", "celsius", 16, 4,
			ask(`coldkeep_probe_temperature_celsius`+m, "{{probe}}")).decimals(3),
		graph("Temperature", "Its probes, with the ends of the unit's range. Grey: unmonitored. Nothing is drawn where there was no temperature.", "celsius", 24, 11,
			ask(`coldkeep_probe_temperature_celsius`+m, "{{probe}}"), high, low, ask(dark, "unmonitored")).decimals(3).band().shaded("unmonitored"),
		timeline("State", "How the unit stood, in the words of Now. It is never in range where nothing is known.", 24, 5, statusWords(), ask(status(m), "{{unit}} · {{instance}}")),
		timeline("Door", "Whether a door of the unit stood open. A gap: nothing was known of it.", 12, 4, words(Word{Text: "shut", Color: green}, Word{Text: "! OPEN", Color: orange}),
			ask(`max`+by+`(coldkeep_unit_door_open`+m+`)`, "{{unit}} · {{instance}}")).empty("no door contact, or the daemon is not heard"),
		stat("Door openings", "How often its doors were opened within the time shown, as far as Prometheus heard of it.", "none", 6, 4,
			ask(`sum`+by+`(round(increase(coldkeep_unit_door_openings_total`+m+`[$__range])))`, "openings")).empty("no door contact"),
		stat("Door open", "How long its doors stood open within the time shown, as far as Prometheus heard of it.", "dtdhms", 6, 4,
			ask(`sum`+by+`(increase(coldkeep_unit_door_open_seconds_total`+m+`[$__range]))`, "open")).empty("no door contact"),
		timeline("Mains", "Whether the mains were there, by contact: also those of other units of the machine. A gap: nothing was known of them.", 24, 4,
			words(Word{Text: "✔ there", Color: green}, Word{Text: "▲ LOST", Color: red}), ask(`coldkeep_mains_lost{@}`, "{{contact}} · {{instance}}")).empty("no contact at the mains, or the daemon is not heard"),
		graph("Lowest and highest", "The extremes of each probe in the time up to each point, so that no short peak is lost when many days are shown. A gap: no temperature in all that time.", "celsius", 24, 9,
			ask(`max_over_time(coldkeep_probe_temperature_celsius`+m+`[$__interval])`, "{{probe}} highest"),
			ask(`min_over_time(coldkeep_probe_temperature_celsius`+m+`[$__interval])`, "{{probe}} lowest"), high, low).decimals(3).every("1m").band(),
		stat("Out of range", "Time out of range within the time shown, as far as Prometheus heard of it; the record of the daemon has the exact one.", "dtdhms", 6, 4,
			ask(`max`+by+`(increase(coldkeep_unit_out_of_range_seconds_total`+m+`[$__range]))`, "out of range")).coloured(steps(grey, Step{orange, at(1)})),
		stat("Unmonitored", "Time without a temperature within the time shown, as far as Prometheus heard of it; the record of the daemon has the exact one.", "dtdhms", 6, 4,
			ask(`max`+by+`(increase(coldkeep_unit_unmonitored_seconds_total`+m+`[$__range]))`, "unmonitored")).coloured(steps(grey, Step{orange, at(1)})),
		verdicts(m, 12, 4),
		table("Batches in it", "The batches in the unit now. NOT HEARD: they were in it when the daemon was heard last, at most a day ago.", "none", 12, 9,
			[]column{{"batch", "Batch"}, {"Value", "Flag"}, {"instance", "Instance"}},
			ask(flags(m), "")).cell("Flag", Property{"mappings", flagWords()}),
		ages(m, 12, 9),
		graph("Failed readings", "Readings a second that gave no temperature, by probe and fault.", "cps", 24, 8,
			ask(`rate(coldkeep_probe_read_failures_total`+m+`[$__rate_interval]) > 0`, "{{probe}} {{fault}}")).empty("none, or the daemon is not heard"),
	)
}
