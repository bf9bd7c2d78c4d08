package channels

import (
	"testing"
	"time"

	"coldkeep/alert"
)

// The far sides of services, for the suite over all channels.
func init() {
	farSides["pagerduty"] = func(t *testing.T) farSide { return newFarPagerDuty(t) }
	farSides["goalert"] = func(t *testing.T) farSide { return newFarGoAlert(t) }
	farSides["alertmanager"] = func(t *testing.T) farSide { return newFarAlertmanager(t) }
	farSides["webhook"] = func(t *testing.T) farSide { return newFarWebhook(t) }
}

// tells are the purposes of which a service is sent something: the others are
// for people.
func (f *farPagerDuty) tells() []alert.Purpose {
	return []alert.Purpose{alert.Page, alert.Notice, alert.Worse, alert.Test, alert.Taken, alert.AllClear, alert.Tested}
}
func (f *farGoAlert) tells() []alert.Purpose {
	return []alert.Purpose{alert.Page, alert.Notice, alert.Worse, alert.Test, alert.AllClear, alert.Tested} // it knows no acknowledgement
}
func (f *farAlertmanager) tells() []alert.Purpose {
	return []alert.Purpose{alert.Page, alert.Notice, alert.Worse, alert.Test, alert.Taken, alert.AllClear, alert.Tested}
}

// hurry shortens time limits and pauses.
func (f *farPagerDuty) hurry(n alert.Notifier) {
	p := n.(*pagerDuty)
	p.apart, p.in.client.Timeout = time.Millisecond, farPatience
}
func (f *farGoAlert) hurry(n alert.Notifier)      { n.(*goAlert).in.client.Timeout = farPatience }
func (f *farAlertmanager) hurry(n alert.Notifier) { n.(*alertmanager).in.client.Timeout = farPatience }
func (f *farWebhook) hurry(n alert.Notifier)      { n.(*webhook).in.client.Timeout = farPatience }

// farPatience is enough for a slow machine's request to arrive.
const farPatience = 3 * time.Second
