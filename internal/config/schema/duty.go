package main

import "coldkeep/alert"

func clock(about string) schema {
	return schema{"type": "string", "pattern": "^(([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00)$", "description": about}
}

func hours(about string) schema {
	return object(about, schema{"days": list(choice("", "mon", "tue", "wed", "thu", "fri", "sat", "sun"), "On which they begin."), "from": clock("Itself inside."), "to": clock("Not inside; at or before `from`: on the next day.")})
}

func channel() schema {
	return object("A way to reach people.", schema{
		"id": id("Its name for contacts; default: what it is."), "channel": choice("What it is.", alert.Kinds...), "only": choice("What a channel that belongs to nobody is told; default all.", "critical"),
		"server": text("https://HOST, or HOST:PORT of a mail server."), "to": text("Its own address: a topic, a mailbox, a number."), "topic": text("ntfy: the same as `to`."),
		"from": text("The sender: a phone number, a mailbox."), "account": text("Twilio's account, the mail server's user."),
		"token_file": text("A file that holds the token, key or password; a bare name is a systemd credential."), "url_file": text("A file that holds the URL."),
		"answers": text("ntfy: the topic on which answers come."), "answers_token_file": text("ntfy: a file that holds the token with which a phone may publish there."),
		"security": choice("email: default starttls.", "starttls", "tls", "none"), "device": text("modem: /dev/ttyUSB0."), "baud": schema{"type": "integer", "description": "modem: default 115200."},
		"buzzer": text("siren: the name of its GPIO pin."), "light": text("siren: the name of its GPIO pin."), "button": text("siren: the name of its GPIO pin."),
	}, "channel")
}

func person() schema {
	return object("A person.", schema{
		"id": id("In rotas and policies."), "name": text("As people call her."), "language": text("Of messages to her; default: the site's."),
		"contacts": list(object("A way to reach her.", schema{"channel": id("A channel's id."), "to": text("The address there."), "after": span("After the first contact; default a minute after the one before.")}, "channel"), "In the order in which they are tried."),
		"quiet":    hours("When only what is critical is told."),
	}, "id", "contacts")
}

func rota() schema {
	shift := hours("A part of the week.")
	properties := shift["properties"].(schema)
	properties["people"] = list(id("A person's id."), "They take turns, a week each.")
	properties["starts"] = text("The day on which the first has the first turn, 2026-01-05; turns change on that day of the week.")
	shift["required"] = []string{"people"}
	return object("A rota.", schema{
		"id": id("In policies."), "shifts": list(shift, "They may touch, not overlap."),
		"overrides": list(object("For once somebody else.", schema{"from": text("By the clock at the site, 2026-12-24T18:00."), "to": text("By the clock at the site."), "person": id("A person's id.")}, "from", "to", "person"), "Before everything else."),
		"holidays":  list(object("A whole day.", schema{"date": text("2026-12-25"), "person": id("A person's id.")}, "date", "person"), "Before the shifts."),
	}, "id", "shifts")
}

func policy() schema {
	return object("A policy.", schema{
		"id": id("In events."), "severity": choice("For what; default all.", "critical", "warning"), "units": list(id("A unit's id."), "For alarms of these; default all."), "during": hours("When the trouble began; default always."),
		"steps": list(object("Who is called.", schema{"call": list(id("A person, a rota, or everyone."), "Whom."), "after": span("After the step before."), "repeat": span("They are called again this often; default 5m.")}, "call"), "One after the other until somebody answers; the last calls everyone."),
	}, "id", "steps")
}

func wakes() schema {
	properties := schema{}
	for kind, def := range alert.DefaultWakes() {
		properties[string(kind)] = choice("Default "+string(def)+".", string(alert.AtOnce), string(alert.InWorkingHours), string(alert.Never))
	}
	return object("Who is woken for what: changes to the table.", properties)
}
