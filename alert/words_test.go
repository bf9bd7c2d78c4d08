package alert

import (
	"fmt"
	"time"
)

type plainWords struct{}

func testWords(Duty) Words { return plainWords{} }
func (plainWords) Compose(_ string, t Telling) (string, string) {
	s := ""
	for _, l := range t.Lines {
		if l.Unit != nil {
			s += l.Unit.Name + " "
		}
	}
	return string(t.Purpose), s
}
func (plainWords) Buttons(string, time.Duration) [3]string { return [3]string{"a", "b", "c"} }
func (plainWords) Reply(_ string, r Reply) string          { return fmt.Sprint(r) }
