package monitor

import (
	"context"
	"encoding/hex"

	"coldkeep/internal/coldchain"
)

// papered adds to a command that attaches a paper how large it is. One that the
// record does not hold is refused. It may take a moment, and is done before the
// loop is asked.
func (m *Monitor) papered(ctx context.Context, c coldchain.Command) (coldchain.Command, error) {
	if c.Name != "attach" || c.Paper == nil {
		return c, nil
	}
	p := *c.Paper
	if b, err := hex.DecodeString(p.SHA256); err != nil || len(b) != 32 {
		return c, refusal("bad_request", "sha256 %q: it is 64 hex digits, as answered when the file was sent to /api/v1/files", p.SHA256)
	}
	data, err := m.File(ctx, p.SHA256)
	if err != nil {
		return c, err
	}
	p.Bytes = len(data)
	c.Paper = &p
	return c, nil
}
