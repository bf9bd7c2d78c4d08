package alert

import "testing"

// The far sides of services, for the suite over all channels.
func init() {
	farSides["pagerduty"] = func(t *testing.T) farSide { return newFarPagerDuty(t) }
	farSides["goalert"] = func(t *testing.T) farSide { return newFarGoAlert(t) }
	farSides["alertmanager"] = func(t *testing.T) farSide { return newFarAlertmanager(t) }
	farSides["webhook"] = func(t *testing.T) farSide { return newFarWebhook(t) }
}
