package channels

import (
	"context"
	"errors"
	"log/slog"

	"coldkeep/alert"
)

// listenOn calls follow until ctx ends, with pauses that grow while it does
// nothing but fail. It tells the log of a failure once, and of its end, which
// follow tells it by calling fine.
func listenOn(ctx context.Context, log *slog.Logger, who string, retry backoff, follow func(ctx context.Context, fine func()) error) {
	failures, told := 0, false
	fine := func() {
		if told {
			log.Info(who + ": answers are heard again")
		}
		failures, told = 0, false
	}
	for ctx.Err() == nil {
		err := follow(ctx, fine)
		if err == nil || ctx.Err() != nil {
			continue
		}
		failures++
		// A single failure is not worth a line: connections break every day.
		switch {
		case failures == 1:
		case !told:
			told = true
			log.Error(who+": answers are not heard", "err", err)
		default:
			log.Debug(who+": answers are still not heard", "err", err)
		}
		wait := retry.after(failures)
		if e, ok := errors.AsType[*alert.TemporaryError](err); ok {
			wait = max(wait, e.After)
		}
		pause(ctx, wait)
	}
}
