package grafana

// operations is for who keeps the watch itself alive.
func operations() Dashboard {
	yes := func(no, is string) []Mapping {
		return words(Word{Text: "▲ " + no, Color: red}, Word{Text: "✔ " + is, Color: green})
	}
	return draw("operations", "Operations", "Whether the watch works: are people reached, is the record written, do probes, clock and broker answer.", "24h", nil,
		stat("Daemons", "Whether Prometheus reaches each daemon.", "none", 8, 4, ask(daemons, "{{instance}}")).worded(yes("DOES NOT ANSWER", "answers")),
		stat("Clock", "Whether the system's clock is disciplined. If not, times in the record are doubtful.", "none", 8, 4,
			ask(`coldkeep_clock_synchronized{@}`, "{{instance}}")).worded(yes("NOT SET", "set")),
		stat("MQTT broker", "Whether the broker is connected. What it has not taken waits on disk.", "none", 8, 4,
			ask(`coldkeep_mqtt_connected{@}`, "{{instance}}")).worded(yes("NOT CONNECTED", "connected")).empty("none configured, or not heard"),
		stat("Oldest alarm that nobody has taken", "How long the oldest unacknowledged alarm has waited.", "dtdhms", 12, 4,
			ask(`time() - coldkeep_oldest_unacknowledged_alarm_timestamp_seconds{@}`, "{{severity}} · {{instance}}")).
			coloured(steps(orange, Step{red, at(300)})).empty("none waits, or the daemon is not heard"),
		stat("Troubles", "What people are called for now, by how it stands; without drills.", "short", 12, 4,
			ask(`sum by (severity, state) (coldkeep_troubles{@})`, "{{severity}}, {{state}}")).
			override("byRegexp", "/, raised$/", Property{"thresholds", steps(grey, Step{red, at(1)})}),
		graph("Notifications taken", "Notifications a second that each channel took.", "cps", 12, 8,
			ask(`sum by (job, instance, channel) (rate(coldkeep_notifications_total{@}[$__rate_interval]))`, "{{channel}} · {{instance}}")),
		graph("Notifications that failed", "Notifications a second that each channel did not take. Anything above zero: somebody may not be reached.", "cps", 12, 8,
			ask(`sum by (job, instance, channel) (rate(coldkeep_notification_failures_total{@}[$__rate_interval]))`, "{{channel}} · {{instance}}")),
		stat("Last drill", "How long ago the newest drill began, and when one was answered last.", "dtdhms", 12, 4,
			ask(`time() - coldkeep_drill_last_timestamp_seconds{@}`, "began · {{instance}}"),
			ask(`time() - coldkeep_drill_last_answered_timestamp_seconds{@}`, "answered · {{instance}}")).
			coloured(steps(green, Step{orange, at(32 * 86400)})).empty("never, or the daemon is not heard"),
		stat("Last answer to a drill", "From the page to the answer.", "dtdhms", 12, 4,
			ask(`coldkeep_drill_last_answer_seconds{@}`, "{{instance}}")).coloured(steps(green, Step{orange, at(600)})).empty("never, or the daemon is not heard"),
		stat("Heartbeat", "Whether whoever watches the daemon from outside hears it.", "none", 12, 4,
			ask(`coldkeep_heartbeat_failing{@}`, "{{instance}}")).worded(words(Word{Text: "✔ heard", Color: green}, Word{Text: "▲ NOT HEARD OUTSIDE", Color: red})).
			empty("none configured, or not heard"),
		stat("Other daemons of the site", "Whether the broker tells of the site's other daemons.", "none", 12, 4,
			ask(`coldkeep_peer_up{@}`, "{{peer}}, told by {{instance}}")).worded(yes("SILENT", "heard")).empty("none configured, or not known"),
		graph("MQTT backlog", "Readings and events that the broker has not acknowledged.", "short", 12, 8, ask(`coldkeep_mqtt_backlog_messages{@}`, "{{instance}}")),
		timeline("MQTT connection", "Whether the broker was connected. A gap: the daemon was not heard.", 12, 8, yes("NOT CONNECTED", "connected"),
			ask(`coldkeep_mqtt_connected{@}`, "{{instance}}")),
		graph("Readings", "Readings a second, good or not.", "cps", 12, 8,
			ask(`sum by (job, instance) (rate(coldkeep_probe_reads_total{@}[$__rate_interval]))`, "{{instance}}")),
		graph("Failed readings, by fault", "Readings a second that gave no temperature. A line at zero is good; a gap is not.", "cps", 12, 8,
			ask(`sum by (job, instance, fault) (rate(coldkeep_probe_read_failures_total{@}[$__rate_interval]))`, "{{fault}} · {{instance}}")),
		graph("Steps that could not be written", "Steps a second that the record did not take. Alarms go out from memory meanwhile; anything above zero needs a person.", "cps", 12, 8,
			ask(`rate(coldkeep_store_write_failures_total{@}[$__rate_interval])`, "{{instance}}")),
		graph("Disk", "Bytes that the record takes, and bytes that are left to it.", "bytes", 12, 8,
			ask(`coldkeep_store_size_bytes{@}`, "record · {{instance}}"), ask(`coldkeep_store_free_bytes{@}`, "left · {{instance}}")),
		graph("Memory", "Resident memory of the daemon.", "bytes", 12, 8, ask(`process_resident_memory_bytes{@} and on (job, instance) coldkeep_build_info{@}`, "{{instance}}")),
		graph("Processor", "Share of one core that the daemon takes.", "percentunit", 12, 8,
			ask(`rate(process_cpu_seconds_total{@}[$__rate_interval]) and on (job, instance) coldkeep_build_info{@}`, "{{instance}}")),
		table("Calibration", "How long until each probe is to be calibrated again; below zero it is overdue.", "none", 12, 8,
			[]column{{"unit", "Unit"}, {"probe", "Probe"}, {"Value", "Left"}, {"instance", "Instance"}},
			ask(`coldkeep_probe_calibration_due_timestamp_seconds{@} - time()`, "")).
			cell("Left", Property{"unit", "s"}, Property{"decimals", 1}, Property{"thresholds", steps(red, Step{orange, at(0)}, Step{green, at(30 * 86400)})}),
		table("What runs", "The version of each daemon, and since when it runs.", "none", 12, 8,
			[]column{{"instance", "Instance"}, {"version", "Version"}, {"Value", "Runs for"}},
			ask(`(time() - process_start_time_seconds{@}) * on (job, instance) group_left (version) coldkeep_build_info{@}`, "")).
			override("byName", "Runs for", Property{"unit", "dtdhms"}),
	)
}
