package grafana

// batch is one batch, as long as it is in storage.
func batch() Dashboard {
	const m = `{@, batch=~"$batch"}`
	return draw("batch", "Batch", "One batch while it is in storage: whether it is flagged, what its label still allows, and how warm it stood. The daemon's own page and reports have the verdict, with its reasons.", "7d",
		[]Variable{labelled("batch", "Batch", "coldkeep_batch_flagged", `{job=~"$job", instance=~"$instance"}`)},
		stat("Now", "Whether the batch is flagged. Flagged: out of range, or quarantined; ask before use. A batch that is not flagged has a record within the limits entered; that is all it says. "+
			"NOT HEARD: its daemon does not answer.", "none", 12, 5,
			ask(flags(m), "{{batch}} in {{unit}}")).worded(flagWords()),
		stat("Allowance left", "What is left of each rule's allowance now. A rule that allows no time has none to show.", "percentunit", 12, 5,
			ask(`coldkeep_batch_allowance_remaining_ratio`+m, "{{rule}}")).decimals(1).coloured(steps(red, Step{orange, at(0.001)}, Step{green, at(0.5)})),
		timeline("Flag", "The flag over the time shown, per unit that the batch was in. A gap: it was not in storage, or the daemon was not heard.", 24, 6,
			words(Word{Text: "not flagged", Color: green}, Word{Text: "▲ FLAGGED: ASK FIRST", Color: red}),
			ask(`coldkeep_batch_flagged`+m, "{{batch}} in {{unit}} · {{instance}}")),
		graph("Allowance left, over time", "What was left of each rule's allowance. It only falls: a return to range gives nothing back, but for rules over a window.", "percentunit", 24, 9,
			ask(`coldkeep_batch_allowance_remaining_ratio`+m, "{{rule}}")).decimals(1).between(0, 1),
		graph("Temperature where it stood", "The probes of the unit that the batch was in at the time, with the ends of that unit's range.", "celsius", 24, 10,
			ask(`coldkeep_probe_temperature_celsius{@} and on (job, instance, unit) coldkeep_batch_flagged`+m, "{{unit}} {{probe}}"),
			ask(`coldkeep_unit_range_high_celsius{@} and on (job, instance, unit) coldkeep_batch_flagged`+m, "high"),
			ask(`coldkeep_unit_range_low_celsius{@} and on (job, instance, unit) coldkeep_batch_flagged`+m, "low")).decimals(3).band(),
	)
}
