package main

import "coldkeep/alert"

func clock(about string) schema {
	return schema{"type": "string", "pattern": "^(([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00)$", "description": about}
}

func hours(about string) schema {
	return object(about, schema{"days": list(choice("A day of the week.", "mon", "tue", "wed", "thu", "fri", "sat", "sun"), "On which they begin."), "from": clock("The beginning, itself inside, 18:00; without from and to it is whole days."), "to": clock("The end, not inside any more; at or before `from` it is on the next day.")})
}

func channel() schema {
	return object("A way to reach people.", schema{
		"id": id("Its name, by which contacts call it; default: its kind."), "channel": choice("Its kind; deploy/oncall.md tells what each needs.", alert.Kinds...), "only": choice("For a channel that no person uses: tell it of nothing else; default all.", "critical"),
		"server": text("https://HOST, or HOST:PORT of a mail server."), "to": text("Where it sends what is for nobody in particular: a topic, a mailbox, a number."), "topic": text("ntfy: the same as `to`."),
		"from": text("The sender: a phone number, a mailbox; to services the site."), "account": text("Twilio's account, the mail server's user."),
		"token_file": text("A file that holds the token, key, password or PIN, and that others may not read; a bare name is a systemd credential."), "url_file": text("webhook, shoutrrr: a file that holds the URL, and that others may not read."),
		"answers": text("ntfy: the topic on which the buttons answer; without it there are no buttons."), "answers_token_file": text("ntfy: a file that holds the token with which a phone may publish there."),
		"security": choice("email: default starttls.", "starttls", "tls", "none"), "device": text("modem: its serial port, best by its name below /dev/serial/by-id/."), "baud": schema{"type": "integer", "description": "modem: default 115200."},
		"buzzer": text("siren: the GPIO pin of the buzzer, GPIO17."), "light": text("siren: the GPIO pin of the light."), "button": text("siren: the GPIO pin of the button, which connects it with ground."),
	}, "channel")
}

func person() schema {
	return object("A person.", schema{
		"id": id("The name in rotas and policies."), "name": text("As people say it."), "language": text("Of messages to this person; default: the site's."),
		"contacts": list(object("A way to reach this person.", schema{"channel": id("A channel's id."), "to": text("The address there."), "after": span("After the first contact; default a minute after the one before.")}, "channel"), "The fastest first; each is tried `after` the first, or at once where those before it cannot deliver."),
		"quiet":    hours("When this person is told only what is critical."),
	}, "id", "contacts")
}

func rota() schema {
	shift := hours("A part of the week.")
	properties := shift["properties"].(schema)
	properties["people"] = list(id("A person's id."), "They take turns, a week each.")
	properties["starts"] = text("The day on which the first has the first turn, 2026-01-05; turns change on that day of the week.")
	shift["required"] = []string{"people"}
	return object("A rota.", schema{
		"id": id("The name in policies."), "shifts": list(shift, "They may touch, not overlap."),
		"overrides": list(object("For once somebody else.", schema{"from": text("By the clock at the site, 2026-12-24T18:00."), "to": text("By the clock at the site."), "person": id("A person's id.")}, "from", "to", "person"), "Before everything else."),
		"holidays":  list(object("Somebody for a whole day.", schema{"date": text("2026-12-25"), "person": id("A person's id.")}, "date", "person"), "Before the shifts."),
	}, "id", "shifts")
}

func policy() schema {
	return object("A policy.", schema{
		"id": id("Its name, in the record and in `oncall show`."), "severity": choice("For troubles of this severity; default all.", "critical", "warning"), "units": list(id("A unit's id."), "For troubles of these units; default all."), "during": hours("For troubles that begin in these hours; default always."),
		"steps": list(object("Who is called.", schema{"call": list(id("A person, a rota, or everyone."), "Whom."), "after": span("So long after the step before, of the first after the alarm."), "repeat": span("They are called again this often; default 5m.")}, "call"), "One after the other until somebody answers; the last calls everyone."),
	}, "id", "steps")
}

// kinds say what each entry of the table of who is woken is about.
var kinds = map[alert.Kind]string{
	alert.TooWarm: "A unit is too warm.", alert.TooCold: "A unit is too cold.", alert.NoData: "A unit's temperature is not known.", alert.MainsLost: "The mains are lost.",
	alert.BatchLost: "A batch is quarantined.", alert.BatchSoon: "A batch is about to be.", alert.BatchFlagged: "A batch was out of range, inside its allowance.",
	alert.Undeliverable: "A channel does not take alarms.", alert.Unanswered: "Nobody answered a drill.", alert.PeerSilent: "Another daemon of the site is not heard.",
	alert.Storage: "The record cannot be written.", alert.Clock: "The clock is not synchronised.", alert.RotaGap: "Nobody will be on call.", alert.Calibration: "A calibration runs out.",
	alert.ProbeLost: "One of several probes is silent.", alert.ProbesDisagree: "Two probes of a unit disagree.", alert.CheckMissed: "A check was not done.", alert.Expiry: "A batch's expiry is near.", alert.Removed: "A unit with batches left the config.",
	alert.DoorOpen: "A door stands open.", alert.Drill: "A drill.", alert.Other: "Anything else.",
}

func wakes() schema {
	properties := schema{}
	for kind, def := range alert.DefaultWakes() {
		properties[string(kind)] = choice(kinds[kind]+" Default "+string(def)+".", string(alert.AtOnce), string(alert.InWorkingHours), string(alert.Never))
	}
	return object("Changes to the table of who is woken for what: at any hour if it is critical, in working hours, or never.", properties)
}
