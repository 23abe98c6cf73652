package meter

import (
	"encoding/binary"
	"time"

	"smets1/internal/wire"
)

// kind says what was done to a meter. The numbers are in records: none is used twice.
type kind uint8

const (
	actMode      kind = 1  // mode
	actAdjust    kind = 2  // amount
	actVend      kind = 3  // amount, counter, source; the code
	actReject    kind = 4  // refusal, source; the code
	actConfigure kind = 5  // the settings of an account
	actDebt      kind = 6  // which, amount
	actPrices    kind = 7  // prices
	actCalendar  kind = 8  // calendar
	actFriendly  kind = 9  // calendar
	actSupply    kind = 10 // state, reason
	actEmergency kind = 11
	actLimit     kind = 12 // threshold, over, restore, acts
	actBilling   kind = 13 // day of the month; 0 none
	actSnapshot  kind = 14 // cause
	actDemand    kind = 15 // resets the maximum demand
	actUseCode   kind = 16 // counter: a code that moves no money
	actOutage    kind = 17 // until when the network is off
	lastKind     kind = actOutage
)

// act is one thing that was done, or will be: a tariff that waits for its time is an
// act of the future.
type act struct {
	at   int64 // true time, in seconds since 1970
	kind kind
	args []int64
	text []byte
}

// maxActs bounds what a meter remembers. Beyond it, it refuses to be changed, as one
// whose memory is worn out (ours).
const maxActs = 8192

// full reports whether there is no room for another act.
func (m *Meter) full() bool { return len(m.acts) >= maxActs }

// do notes an act and makes it take effect. Acts of the past are not possible: the
// meter has lived through that.
func (m *Meter) do(now time.Time, k kind, text []byte, args ...int64) {
	a := act{at: now.Unix(), kind: k, args: args, text: text}
	s := m.At(now)
	a.at = max(a.at, s.at)
	i := s.done
	for i < len(m.acts) && m.acts[i].at <= a.at {
		i++
	}
	m.acts = append(m.acts, act{})
	copy(m.acts[i+1:], m.acts[i:])
	m.acts[i] = a
	m.advance(s, a.at, m.tell, nil)
	m.Touch()
}

// plan notes an act of the future in the place of all of its kind that have not come yet.
func (m *Meter) plan(now, at time.Time, k kind, text []byte, args ...int64) {
	m.cancel(now, k)
	a := act{at: at.Unix(), kind: k, args: args, text: text}
	i := len(m.acts)
	for i > m.state.done && m.acts[i-1].at > a.at {
		i--
	}
	m.acts = append(m.acts, act{})
	copy(m.acts[i+1:], m.acts[i:])
	m.acts[i] = a
	m.Touch()
}

// cancel forgets what has not come yet of a kind.
func (m *Meter) cancel(now time.Time, k kind) {
	s := m.At(now)
	kept := m.acts[:s.done]
	for _, a := range m.acts[s.done:] {
		if a.kind != k {
			kept = append(kept, a)
		}
	}
	clear(m.acts[len(kept):])
	m.acts = kept
	m.Touch()
}

// arg is an argument of an act; one that is not there is 0.
func (a *act) arg(i int) int64 {
	if i < len(a.args) {
		return a.args[i]
	}
	return 0
}

func appendInts(b []byte, list ...int64) []byte {
	for _, v := range list {
		b = binary.AppendVarint(b, v)
	}
	return b
}

// readInts reads integers of variable length.
func readInts(r *wire.Reader, n int) []int64 {
	list := make([]int64, 0, min(n, 256))
	for range n {
		var u uint64
		for shift := 0; ; shift += 7 {
			c := r.U8()
			u |= uint64(c&0x7F) << shift
			if c < 0x80 || r.Err() != nil {
				break
			}
			if shift > 56 {
				r.Failf("integer of more than 64 bits")
				break
			}
		}
		if r.Err() != nil {
			return list
		}
		list = append(list, int64(u>>1)^-int64(u&1))
	}
	return list
}

func appendActs(b []byte, acts []act) []byte {
	for _, a := range acts {
		b = append(b, byte(a.kind))
		b = appendInts(b, a.at, int64(len(a.args)))
		b = appendInts(b, a.args...)
		b = appendInts(b, int64(len(a.text)))
		b = append(b, a.text...)
	}
	return b
}

func readActs(r *wire.Reader) (acts []act) {
	last := int64(-1 << 62)
	for r.Err() == nil && r.Len() > 0 {
		a := act{kind: kind(r.U8())}
		head := readInts(r, 2)
		if len(head) < 2 || head[1] < 0 || head[1] > 1024 || head[0] < last || a.kind == 0 || a.kind > lastKind || len(acts) >= maxActs {
			r.Failf("act %d of kind %d is malformed", len(acts), a.kind)
			break
		}
		a.at, last = head[0], head[0]
		a.args = readInts(r, int(head[1]))
		if n := readInts(r, 1); len(n) == 1 && n[0] >= 0 && n[0] <= int64(r.Len()) {
			a.text = append([]byte(nil), r.Bytes(int(n[0]))...)
		} else {
			r.Failf("act %d has a text that is too long", len(acts))
		}
		if a.check() {
			acts = append(acts, a)
		} else {
			r.Failf("act %d of kind %d does not hold together", len(acts), a.kind)
		}
	}
	return acts
}

// check tells whether the act can take effect.
func (a *act) check() bool {
	switch a.kind {
	case actPrices:
		_, ok := pricesOf(a.args)
		return ok
	case actCalendar, actFriendly:
		_, ok := calendarOf(a.text)
		return ok
	default:
		return true
	}
}
