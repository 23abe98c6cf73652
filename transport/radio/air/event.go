package air

type kind uint8

const (
	evEnd    kind = iota // a frame ends
	evAck                // an acknowledgement starts
	evSensed             // carrier sense is over
	evStart              // the transmitter is ready
	evNoAck              // no acknowledgement came
)

type event struct {
	at     int64 // ns since 1970
	seq    uint64
	port   *Port
	flight *flight
	step   uint32
	kind   kind
}

// events is a binary heap by time and order of scheduling.
type events []event

func (h events) less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].seq < h[j].seq
}

func (h *events) push(e event) {
	*h = append(*h, e)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if !s.less(i, up) {
			return
		}
		s[i], s[up] = s[up], s[i]
		i = up
	}
}

func (h *events) pop() event {
	s := *h
	e := s[0]
	n := len(s) - 1
	s[0], s[n] = s[n], event{}
	s = s[:n]
	for i := 0; ; {
		least := i
		for k := 2*i + 1; k <= 2*i+2 && k < n; k++ {
			if s.less(k, least) {
				least = k
			}
		}
		if least == i {
			break
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
	*h = s
	return e
}
