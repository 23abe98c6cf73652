package ncp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/ash"
	"smets1/zigbee/ezsp"
	"smets1/zigbee/node"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl/se"
)

// answerTime is how long a command may take (ours; sticks answer within milliseconds).
const answerTime = 10 * time.Second

// Errors of a host.
var (
	ErrVersion  = errors.New("the co-processor speaks another version of EZSP than 13: it was identified, and can do nothing else here")
	ErrNotReady = errors.New("the co-processor was not identified yet: wait for Identified")
)

// silence is something that should have been heard. It is an os.ErrDeadlineExceeded.
type silence string

func (e silence) Error() string { return "ncp: " + string(e) }
func (silence) Timeout() bool   { return true }

// Is reports it as os.ErrDeadlineExceeded.
func (silence) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// HostEventKind is what happened.
type HostEventKind uint8

// The kinds of HostEvent.
const (
	Identified    HostEventKind = iota + 1 // Stick says who it is
	Failed                                 // the link has failed, Err says why; Start begins anew
	NetworkUp                              //
	NetworkDown                            //
	DeviceJoined                           // a device got the network key
	DeviceRefused                          // a device has no key here
	DeviceLeft                             //
	DeviceKeyed                            // a device established its link key; the co-processor has it
	KeyFailed                              // key establishment failed, Err says why
	Arrived                                // Message
	Sniffed                                // PSDU, with its FCS; RSSI and LQI of it
)

// HostEvent is something that happened.
type HostEvent struct {
	Kind    HostEventKind
	Device  wire.EUI64
	Short   uint16
	Message ezsp.IncomingMessage
	PSDU    []byte
	RSSI    int8
	LQI     uint8
	Err     error
}

// Stick is who a co-processor says it is.
type Stick struct {
	Reset    ash.Reason
	Protocol uint8  // version of EZSP
	Stack    uint16 // version of the stack, a digit in each four bits
	// Release and EUI are not known if the protocol is another.
	Release ezsp.VersionInfo
	EUI     wire.EUI64
}

// HostConfig says what a host does.
type HostConfig struct {
	// Notify is told what happens.
	Notify func(now time.Time, e HostEvent)
	// Identity is what key establishment needs. Zero means that no keys are established.
	Identity node.Identity
	// Entropy gives ephemeral keys; needed with an Identity.
	Entropy io.Reader
}

// Host drives a co-processor.
type Host struct {
	cfg      HostConfig
	link     *ash.Link
	stick    Stick
	ready    bool // it was identified
	answered bool // it answered the reset
	resets   int
	keys     int // given to the stick

	sequence uint8
	queue    []request
	waiting  *request
	due      time.Time
	tag      uint8
	sent     map[uint8]func(time.Time, error)
	exchange map[wire.EUI64]*exchange
	known    map[uint16]wire.EUI64
	failed   error
}

// request is a command with what is to be done with its answer.
type request struct {
	frame ezsp.Frame
	done  func(now time.Time, parameters []byte, err error)
}

// NewHost makes a host that has not begun.
func NewHost(c HostConfig) *Host {
	if c.Notify == nil {
		c.Notify = func(time.Time, HostEvent) {}
	}
	return &Host{cfg: c, link: ash.NewHost()}
}

// Start resets the co-processor and asks who it is: the answer is the event Identified.
func (h *Host) Start(now time.Time) error {
	h.drop(now, ash.ErrNotUp)
	h.answered, h.ready, h.failed, h.resets, h.stick = false, false, nil, h.link.Resets(), Stick{}
	h.sent, h.exchange, h.known = map[uint8]func(time.Time, error){}, map[wire.EUI64]*exchange{}, map[uint16]wire.EUI64{}
	return h.link.Reset(now)
}

// Stick is who the co-processor says it is.
func (h *Host) Stick() Stick { return h.stick }

// WasReset tells whether a co-processor has answered the reset of Start.
func (h *Host) WasReset() bool { return h.answered }

// Output takes what is to be written to the line.
func (h *Host) Output() []byte { return h.link.Output() }

// Deadline is when Advance wants to be called; the zero time if never.
func (h *Host) Deadline() time.Time {
	next := earlier(h.link.Deadline(), h.due)
	for _, x := range h.exchange {
		next = earlier(next, x.due)
	}
	return next
}

// Advance does what is due.
func (h *Host) Advance(now time.Time) {
	h.link.Advance(now)
	h.check(now)
	if h.waiting != nil && !h.due.IsZero() && !now.Before(h.due) {
		h.fail(now, silence(fmt.Sprintf("the co-processor did not answer %v in %v", h.waiting.frame.Command, answerTime)))
	}
	h.advanceKeys(now)
}

// Input takes octets from the line.
func (h *Host) Input(now time.Time, b []byte) {
	h.link.Input(now, b)
	h.check(now)
	if n := h.link.Resets(); n != h.resets {
		h.resets = n
		h.identify(now)
	}
	for p := h.link.Next(); p != nil; p = h.link.Next() {
		f, _, err := ezsp.ParseFrame(p)
		if err == nil && f.Response {
			h.take(now, &f)
		}
	}
}

// check notices a link that has failed.
func (h *Host) check(now time.Time) {
	if err := h.link.Err(); err != nil && h.failed == nil {
		h.fail(now, err)
	}
}

func (h *Host) fail(now time.Time, err error) {
	h.failed, h.ready = err, false
	h.drop(now, err)
	h.cfg.Notify(now, HostEvent{Kind: Failed, Err: err})
}

// drop ends all that waits.
func (h *Host) drop(now time.Time, err error) {
	all := h.queue
	if h.waiting != nil {
		all = append([]request{*h.waiting}, all...)
	}
	h.queue, h.waiting, h.due = nil, nil, time.Time{}
	for _, r := range all {
		r.done(now, nil, err)
	}
	sent := h.sent
	h.sent = map[uint8]func(time.Time, error){}
	for _, done := range sent {
		done(now, err)
	}
	h.exchange = map[wire.EUI64]*exchange{}
}

// Do has the co-processor do a command; done gets the parameters of the answer, which are valid during the call.
func (h *Host) Do(now time.Time, c ezsp.Command, parameters []byte, done func(now time.Time, parameters []byte, err error)) error {
	if !h.ready {
		return fmt.Errorf("ncp: %v: %w", c, ErrNotReady)
	}
	h.do(now, ezsp.Frame{Command: c, Parameters: parameters}, done)
	return nil
}

func (h *Host) do(now time.Time, f ezsp.Frame, done func(time.Time, []byte, error)) {
	h.queue = append(h.queue, request{f, done})
	h.next(now)
}

func (h *Host) next(now time.Time) {
	for h.waiting == nil && len(h.queue) > 0 {
		r := h.queue[0]
		h.queue = h.queue[1:]
		h.sequence++
		r.frame.Sequence = h.sequence
		b, err := r.frame.AppendBinary(nil)
		if err == nil {
			err = h.link.Send(now, b)
		}
		if err != nil {
			r.done(now, nil, err)
			continue
		}
		h.waiting, h.due = &r, now.Add(answerTime)
	}
}

// take takes a frame of the co-processor.
func (h *Host) take(now time.Time, f *ezsp.Frame) {
	if f.Callback != ezsp.NoCallback {
		h.callback(now, f)
		return
	}
	r := h.waiting
	if r == nil || f.Sequence != r.frame.Sequence {
		return
	}
	h.waiting, h.due = nil, time.Time{}
	switch {
	case f.Command == ezsp.InvalidCommand && len(f.Parameters) > 0:
		r.done(now, nil, fmt.Errorf("ncp: %v: %w", r.frame.Command, ezsp.Status(f.Parameters[0])))
	case f.Command != r.frame.Command:
		r.done(now, nil, fmt.Errorf("ncp: %v was answered by %v: %w", r.frame.Command, f.Command, ezsp.ErrFormat))
	default:
		r.done(now, f.Parameters, nil)
	}
	h.next(now)
}

// identify asks who the co-processor is. It begins in the old format, which all versions know.
func (h *Host) identify(now time.Time) {
	h.stick.Reset, h.answered = h.link.Reason(), true
	failed := func(now time.Time, err error) bool {
		if err != nil {
			h.fail(now, err)
		}
		return err != nil
	}
	ask, _ := ezsp.Append(nil, &ezsp.VersionRequest{Wanted: ezsp.Version})
	h.do(now, ezsp.Frame{Old: true, Command: ezsp.CmdVersion, Parameters: ask}, func(now time.Time, b []byte, err error) {
		if failed(now, err) {
			return
		}
		m, _, err := ezsp.Parse[ezsp.VersionResponse](b)
		if failed(now, err) {
			return
		}
		h.stick.Protocol, h.stick.Stack = m.Protocol, m.StackVersion
		if m.Protocol != ezsp.Version {
			h.fail(now, fmt.Errorf("ncp: version %d: %w", m.Protocol, ErrVersion))
			return
		}
		h.ready = true
		h.do(now, ezsp.Frame{Command: ezsp.CmdGetValue, Parameters: []byte{ezsp.ValueVersionInfo}}, func(_ time.Time, b []byte, err error) {
			if err == nil && len(b) > 2 && b[0] == 0 {
				h.stick.Release, _, _ = ezsp.Parse[ezsp.VersionInfo](b[2:])
			}
		})
		h.do(now, ezsp.Frame{Command: ezsp.CmdGetEUI64}, func(now time.Time, b []byte, err error) {
			if failed(now, err) {
				return
			}
			r := wire.NewReader(b)
			h.stick.EUI = readEUI(&r)
			if !failed(now, r.Err()) {
				h.cfg.Notify(now, HostEvent{Kind: Identified, Device: h.stick.EUI})
			}
		})
	})
}

// Network is what a host forms.
type Network struct {
	Channel     uint8
	PAN         uint16
	ExtendedPAN wire.EUI64   // zero means the stick's EUI-64
	Key         security.Key // zero means that the stick makes one
	// Endpoint of the host's application. Zero means 1.
	Endpoint uint8
	Device   uint16   // of its simple descriptor; zero means an energy service interface
	In, Out  []uint16 // its clusters, beside key establishment where the host has an Identity
}

// steps does commands one after the other until one fails.
func (h *Host) steps(now time.Time, all []ezsp.Frame, done func(time.Time, error)) {
	if len(all) == 0 {
		done(now, nil)
		return
	}
	h.do(now, all[0], func(now time.Time, b []byte, err error) {
		if err == nil && len(b) > 0 && b[0] != 0 {
			err = fmt.Errorf("ncp: %v: %w", all[0].Command, ezsp.Status(b[0]))
		}
		if err != nil {
			done(now, err)
			return
		}
		h.steps(now, all[1:], done)
	})
}

// Form has the stick form a network, in place of one that it may be on. done is told when the stick has begun; the event
// NetworkUp when the network is there.
func (h *Host) Form(now time.Time, w Network, done func(now time.Time, err error)) error {
	if !h.ready {
		return fmt.Errorf("ncp: form: %w", ErrNotReady)
	}
	if w.ExtendedPAN.IsZero() {
		w.ExtendedPAN = h.stick.EUI
	}
	e := ezsp.AddEndpoint{Endpoint: max(w.Endpoint, 1), Profile: se.Profile, Device: w.Device, In: w.In, Out: w.Out}
	if e.Device == 0 {
		e.Device = se.DeviceESI
	}
	if h.cfg.Identity.Certificate != nil {
		e.In = append(append([]uint16(nil), e.In...), uint16(se.KeyEstablishment))
		e.Out = append(append([]uint16(nil), e.Out...), uint16(se.KeyEstablishment))
	}
	state := ezsp.InitialSecurityState{Bits: ezsp.SecurityGlobalLinkKey | ezsp.SecurityRequireKey, NetworkKey: w.Key}
	if !w.Key.IsZero() {
		state.Bits |= ezsp.SecurityHaveNetwork
	}
	p := ezsp.NetworkParameters{ExtendedPAN: w.ExtendedPAN, PAN: w.PAN, Power: 3, Channel: w.Channel, Channels: 1 << w.Channel}
	var all []ezsp.Frame
	var bad error
	add := func(c ezsp.Command, b []byte, err error) {
		bad = errors.Join(bad, err)
		all = append(all, ezsp.Frame{Command: c, Parameters: b})
	}
	b, err := ezsp.Append(nil, &e)
	add(ezsp.CmdAddEndpoint, b, err)
	add(ezsp.CmdSetPolicy, []byte{ezsp.PolicyTrustCentre, ezsp.AllowJoins}, nil)
	b, err = ezsp.Append(nil, &state)
	add(ezsp.CmdSetInitialSecurityState, b, err)
	b, err = ezsp.Append(nil, &p)
	add(ezsp.CmdFormNetwork, b, err)
	if bad != nil {
		return fmt.Errorf("ncp: form: %w", bad)
	}
	h.steps(now, all, done)
	return nil
}

// Admit lets a device join with the link key of its install code.
func (h *Host) Admit(now time.Time, device wire.EUI64, code security.Key, done func(now time.Time, err error)) error {
	return h.importKey(now, ezsp.CmdImportTransientKey, &ezsp.ImportTransientKey{Device: device, Key: code}, done)
}

// SetLinkKey gives the stick the key that was established with a device.
func (h *Host) SetLinkKey(now time.Time, device wire.EUI64, key security.Key, done func(now time.Time, err error)) error {
	m := &ezsp.ImportLinkKey{Index: uint8(h.keys), Device: device, Key: key}
	h.keys++
	b, err := ezsp.Append(nil, m)
	return h.keyCommand(now, ezsp.CmdImportLinkKey, b, err, done)
}

func (h *Host) importKey(now time.Time, c ezsp.Command, m *ezsp.ImportTransientKey, done func(time.Time, error)) error {
	b, err := ezsp.Append(nil, m)
	return h.keyCommand(now, c, b, err, done)
}

func (h *Host) keyCommand(now time.Time, c ezsp.Command, b []byte, err error, done func(time.Time, error)) error {
	if err != nil {
		return err
	}
	return h.Do(now, c, b, func(now time.Time, b []byte, err error) {
		if err == nil {
			r := wire.NewReader(b)
			if st := ezsp.KeyStatus(r.LE32()); r.Err() != nil || st != ezsp.KeySuccess {
				err = fmt.Errorf("ncp: %v: %w", c, errors.Join(r.Err(), st))
			}
		}
		done(now, err)
	})
}

// Permit opens the network for joining for a time of at most 254 s; zero closes it.
func (h *Host) Permit(now time.Time, d time.Duration, done func(now time.Time, err error)) error {
	return h.simple(now, done, ezsp.Frame{Command: ezsp.CmdPermitJoining, Parameters: []byte{byte(min(d/time.Second, 254))}})
}

// Sniff has the stick, which must be on no network, hear everything on a channel: each frame is an event Sniffed.
func (h *Host) Sniff(now time.Time, channel uint8, done func(now time.Time, err error)) error {
	return h.simple(now, done, ezsp.Frame{Command: ezsp.CmdMfglibStart, Parameters: []byte{1}}, ezsp.Frame{Command: ezsp.CmdMfglibSetChannel, Parameters: []byte{channel}})
}

func (h *Host) simple(now time.Time, done func(time.Time, error), all ...ezsp.Frame) error {
	if !h.ready {
		return fmt.Errorf("ncp: %v: %w", all[0].Command, ErrNotReady)
	}
	h.steps(now, all, done)
	return nil
}

// Send sends a message to a device. done is told when it was acknowledged or given up.
func (h *Host) Send(now time.Time, to uint16, a ezsp.APSFrame, message []byte, done func(now time.Time, err error)) error {
	h.tag++
	tag := h.tag
	b, err := ezsp.Append(nil, &ezsp.SendUnicast{Type: ezsp.OutgoingDirect, To: to, APS: a, Tag: tag, Message: message})
	if err != nil {
		return err
	}
	return h.Do(now, ezsp.CmdSendUnicast, b, func(now time.Time, b []byte, err error) {
		if err == nil {
			m, _, parseErr := ezsp.Parse[ezsp.SendResponse](b)
			if err = parseErr; err == nil && m.Status != ezsp.Success {
				err = fmt.Errorf("ncp: send to %04X: %w", to, m.Status)
			}
		}
		if err != nil {
			done(now, err)
			return
		}
		h.sent[tag] = done
	})
}

// callback takes what the co-processor says by itself.
func (h *Host) callback(now time.Time, f *ezsp.Frame) {
	switch f.Command {
	case ezsp.CmdStackStatusHandler:
		if len(f.Parameters) < 1 {
			return
		}
		switch ezsp.Status(f.Parameters[0]) {
		case ezsp.NetworkUp:
			h.cfg.Notify(now, HostEvent{Kind: NetworkUp})
		case ezsp.NetworkDown:
			h.cfg.Notify(now, HostEvent{Kind: NetworkDown})
		default:
		}
	case ezsp.CmdTrustCentreJoinHandler:
		m, _, err := ezsp.Parse[ezsp.TrustCentreJoin](f.Parameters)
		if err != nil {
			return
		}
		e := HostEvent{Kind: DeviceJoined, Device: m.Device, Short: m.Short}
		switch {
		case m.Update == ezsp.DeviceLeft:
			e.Kind = DeviceLeft
		case m.Decision == ezsp.DenyJoin:
			e.Kind = DeviceRefused
		default:
			h.known[m.Short] = m.Device
		}
		h.cfg.Notify(now, e)
	case ezsp.CmdMessageSentHandler:
		m, _, err := ezsp.Parse[ezsp.MessageSent](f.Parameters)
		done := h.sent[m.Tag]
		if err != nil || done == nil {
			return
		}
		delete(h.sent, m.Tag)
		if m.Status != ezsp.Success {
			err = fmt.Errorf("ncp: message to %04X: %w", m.To, m.Status)
		}
		done(now, err)
	case ezsp.CmdIncomingMessageHandler:
		m, _, err := ezsp.Parse[ezsp.IncomingMessage](f.Parameters)
		if err != nil {
			return
		}
		if m.APS.Profile == se.Profile && se.Cluster(m.APS.Cluster) == se.KeyEstablishment && h.cfg.Identity.Certificate != nil {
			h.keyMessage(now, &m)
			return
		}
		h.cfg.Notify(now, HostEvent{Kind: Arrived, Device: h.known[m.From], Short: m.From, Message: m, RSSI: m.RSSI, LQI: m.LQI})
	case ezsp.CmdMfglibRxHandler:
		m, _, err := ezsp.Parse[ezsp.SniffedPacket](f.Parameters)
		if err == nil && len(m.PSDU) > 2 {
			// Sticks leave something else in the place of the FCS.
			h.cfg.Notify(now, HostEvent{Kind: Sniffed, PSDU: withFCS(m.PSDU), RSSI: m.RSSI, LQI: m.LQI})
		}
	default:
	}
}
