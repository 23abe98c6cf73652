package trace

import (
	"bytes"
	"fmt"
	"time"
)

// Slower is how much longer an answer may take than it took before, and still be the same.
const Slower = 100 * time.Millisecond

// Drift says in words how a new recording differs from an older one of the same conversation: what was sent, what came
// back, and how long answers took. Bytes that either trace masks may be anything. It ends where the conversations part,
// as nothing after that can be compared.
func Drift(old, now *Trace) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if old.Mode != now.Mode {
		say("the line starts with %q, was %q", now.Mode, old.Mode)
	}
	for i := 0; ; i++ {
		switch {
		case i >= len(old.Events) && i >= len(now.Events):
			return out
		case i >= len(old.Events):
			say("line %d: the old recording ended here; now comes %s", now.Events[i].Line, now.Events[i])
			return out
		case i >= len(now.Events):
			say("the new recording ends before line %d of the old: %s", old.Events[i].Line, old.Events[i])
			return out
		}
		a, b := old.Events[i], now.Events[i]
		if a.Kind != b.Kind {
			say("line %d: now %s, was line %d: %s", b.Line, b, a.Line, a)
			return out
		}
		if a.Text != b.Text {
			say("line %d: now %s, was %s", b.Line, b.Text, a.Text)
		}
		if at, same := differs(a, b); !same {
			say("line %d, byte %d: now % X, was line %d: % X", b.Line, at+1, b.Data, a.Line, a.Data)
			if a.Kind == Sent {
				return out // what was asked is another thing
			}
		}
		if i > 0 && b.Kind == Received {
			was, is := a.At-old.Events[i-1].At, b.At-now.Events[i-1].At
			if is-was > Slower && is > was*3/2 {
				say("line %d: the answer now comes after %v, was %v", b.Line, is.Round(time.Millisecond), was.Round(time.Millisecond))
			}
		}
	}
}

// differs gives the first byte, from 0, that is not the same.
func differs(a, b Event) (at int, same bool) {
	if bytes.Equal(a.Data, b.Data) {
		return 0, true
	}
	masked := func(e Event, i int) bool { return i < len(e.Any) && e.Any[i] }
	for i := range max(len(a.Data), len(b.Data)) {
		if i >= len(a.Data) || i >= len(b.Data) {
			return i, false
		}
		if a.Data[i] != b.Data[i] && !masked(a, i) && !masked(b, i) {
			return i, false
		}
	}
	return 0, true
}
