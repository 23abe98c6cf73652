// Package hub is the communications hub: a DLMS server with a logical device of its
// own, and a DLMS gateway to the meters behind it.
//
//	WAN or serial line ─▶ server.Stream or Line ─┬▶ the hub's own objects
//	                                             └▶ E6 prefix ─▶ HAN ─▶ meter
//	                      reply with E7 prefix ◀───────────────── HAN ◀─┘
//
// A request with a gateway prefix names a network (1 is the HAN) and the EUI-64 of
// a device. The hub sends it there as one wrapper unit, client and logical device
// as they came. A device that does not answer within the profile's HAN timeout gives
// the exception D8 01 03 (service not allowed, other reason), one that is not on the
// network D8 02 01 (service unknown, operation not possible). Prefix and services
// are recalled from IEC 62056-5-3; the two exceptions are ours.
//
// On the WAN the hub sleeps until text messages wake it, as many as its profile
// says, and goes back to sleep when nothing was heard for the online window. A
// serial line does not sleep. The package may change.
package hub

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"smets1/device/core"
	"smets1/device/point"
	"smets1/device/profile"
	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/server"
	"smets1/dlms/wrapper"
	"smets1/internal/wire"
)

// Network is the network id of the HAN in gateway prefixes.
const Network = 1

// AutoConnectName is the logical name of the WAN set-up (class 29).
var AutoConnectName = cosem.MustOBIS("0-0:2.1.0.255")

// A Member is a device that belongs to the home.
type Member struct {
	EUI   wire.EUI64
	Kind  core.Kind
	Model string
}

// Config is what a hub is beside its birth.
type Config struct {
	Members []Member
	// NoWAN: it cannot be reached over the WAN and no message wakes it.
	NoWAN bool
}

// Hub is a communications hub. It is used by one goroutine at a time.
type Hub struct {
	core.Unit
	cfg      Config
	han      HAN
	endpoint []string // once it is not that of birth
	sms      uint32   // messages received
	wan      wan
	waiting  []request
	net      *network // nil until something is out of the ordinary
}

type wan struct {
	awakeUntil time.Time
	count      int // messages of the present attempt to wake
	first      time.Time
	due        []time.Time // messages under way
}

// request is one that went to a device and waits for its reply.
type request struct {
	device wire.EUI64
	client uint16
	expiry time.Time
	from   server.Replier
	token  server.Token
}

// New makes a hub. model comes from Model with the profile of the birth. Attach
// gives it its HAN.
func New(b core.Birth, c Config, model *server.Model, f core.Faults) *Hub {
	h := &Hub{cfg: c}
	h.Init(b, model, h, h, f)
	return h
}

// Attach connects the hub to its HAN.
func (h *Hub) Attach(n HAN) { h.han = n }

// Core implements core.Holder.
func (h *Hub) Core() *core.Unit { return &h.Unit }

// Host is the hub as a DLMS server: its one logical device.
func (h *Hub) Host() server.Host { return host{h} }

type host struct{ h *Hub }

func (x host) Device(sap uint16) *server.Device {
	if sap != x.h.Make.DLMS.LogicalDevice {
		return nil
	}
	return &x.h.Unit.Device
}

// Forward implements server.Forwarder.
func (h *Hub) Forward(now time.Time, r server.Forwarded) {
	to := wire.EUI64{}
	if r.NetworkID != Network || len(r.Address) != len(to) {
		h.refuse(now, r)
		return
	}
	if copy(to[:], r.Address); !h.Allowed(to) {
		h.refuse(now, r)
		return
	}
	frame, err := wrapper.Header{Source: r.Client, Destination: r.Server, Length: uint16(len(r.APDU))}.AppendBinary(nil)
	if err == nil {
		err = h.han.Send(now, to, append(frame, r.APDU...))
	}
	if err != nil {
		h.refuse(now, r)
		return
	}
	h.waiting = append(h.waiting, request{
		device: to, client: r.Client, expiry: now.Add(h.Profile.HAN.Timeout), from: r.From, token: r.Token,
	})
}

func (h *Hub) refuse(now time.Time, r server.Forwarded) {
	reply(now, r.From, r.Token, apdu.Exception{State: apdu.StateServiceUnknown, Service: apdu.ServiceOperationNotPossible})
}

// reply answers with an exception. A client that is gone does not mind.
func reply(now time.Time, to server.Replier, t server.Token, e apdu.Exception) {
	b, err := e.AppendBinary(nil)
	if err == nil {
		_ = to.Reply(now, t, b)
	}
}

// Received implements Receiver: a frame of a device goes to the client that it names.
func (h *Hub) Received(now time.Time, from wire.EUI64, frame []byte) {
	for len(frame) > 0 {
		hd, n, err := wrapper.ParseHeader(frame)
		if err != nil || n+int(hd.Length) > len(frame) {
			return // not for us to mend
		}
		h.answer(now, from, hd.Destination, frame[n:n+int(hd.Length)])
		frame = frame[n+int(hd.Length):]
	}
	if len(h.waiting) == 0 {
		h.waiting = nil
	}
}

// answer gives an APDU of a device to the oldest request of that client that still
// waits; those whose connection ended are forgotten.
func (h *Hub) answer(now time.Time, device wire.EUI64, client uint16, apdu []byte) {
	for i := 0; i < len(h.waiting); {
		w := h.waiting[i]
		if w.device != device || w.client != client {
			i++
			continue
		}
		h.waiting = slices.Delete(h.waiting, i, i+1)
		if w.from.Reply(now, w.token, apdu) == nil {
			return
		}
	}
}

// Advance does what is due: messages arrive, requests expire, the HAN moves.
func (h *Hub) Advance(now time.Time) {
	if h.han != nil {
		h.han.Advance(now)
	}
	for len(h.wan.due) > 0 && !h.wan.due[0].After(now) {
		at := h.wan.due[0]
		h.wan.due = h.wan.due[1:]
		h.message(at)
	}
	kept := h.waiting[:0]
	for _, w := range h.waiting {
		if w.expiry.After(now) {
			kept = append(kept, w)
			continue
		}
		reply(now, w.from, w.token, apdu.Exception{State: apdu.StateServiceNotAllowed, Service: apdu.ServiceOtherReason})
	}
	h.waiting = kept
	if len(kept) == 0 {
		h.waiting = nil
	}
}

// Deadline is when Advance wants to be called; the zero time if never.
func (h *Hub) Deadline() time.Time {
	d := h.Unit.Deadline()
	if h.han != nil {
		d = earlier(d, h.han.Deadline())
	}
	if len(h.wan.due) > 0 {
		d = earlier(d, h.wan.due[0])
	}
	for _, w := range h.waiting {
		d = earlier(d, w.expiry)
	}
	return d
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// SMS puts a text message on its way to the hub. It arrives after the profile's delay.
func (h *Hub) SMS(now time.Time) {
	h.wan.due = append(h.wan.due, now.Add(h.Profile.WAN.SMSDelay))
}

// wakeWindow is how close together the messages of one waking must come (ours).
const wakeWindow = 10 * time.Minute

func (h *Hub) message(now time.Time) {
	if h.cfg.NoWAN || !h.On(now) {
		return
	}
	h.sms++
	h.quota(now)
	h.Touch()
	if h.wan.count == 0 || now.Sub(h.wan.first) > wakeWindow {
		h.wan.count, h.wan.first = 0, now
	}
	h.wan.count++
	if h.wan.count < h.Profile.WAN.Wake.Messages() {
		return
	}
	h.wan.count = 0
	if !h.Awake(now) {
		h.Event(now, core.EventWoken)
	}
	h.wan.awakeUntil = now.Add(h.Profile.WAN.OnlineWindow)
}

// Quiet tells whether the hub waits for nothing that its record does not have: no
// request is under way, no message, and it is not awake because of one.
func (h *Hub) Quiet(now time.Time) bool {
	woken := h.Profile.WAN.Wake != profile.WakeNone && h.Awake(now)
	waking := h.wan.count > 0 && now.Sub(h.wan.first) <= wakeWindow
	return len(h.waiting) == 0 && len(h.wan.due) == 0 && !woken && !waking && h.Unit.Quiet(now)
}

// Messages is how many text messages the hub has received.
func (h *Hub) Messages() int { return int(h.sms) }

// Awake reports whether the hub answers on the WAN.
func (h *Hub) Awake(now time.Time) bool {
	switch {
	case h.cfg.NoWAN || !h.On(now):
		return false
	case h.Profile.WAN.Wake == profile.WakeNone:
		return true
	default:
		_, on := h.scheduled(now)
		return on || now.Before(h.wan.awakeUntil)
	}
}

// Heard notes traffic on the WAN, which keeps the hub awake.
func (h *Hub) Heard(now time.Time) {
	if until := now.Add(h.Profile.WAN.OnlineWindow); h.Awake(now) && until.After(h.wan.awakeUntil) {
		h.wan.awakeUntil = until
	}
}

// AsleepAt is when the hub leaves the WAN if nothing more is heard; zero if it
// never does or is not there.
func (h *Hub) AsleepAt() time.Time {
	if h.Profile.WAN.Wake == profile.WakeNone {
		return time.Time{}
	}
	if began, on := h.scheduled(h.wan.awakeUntil); on {
		return began.Add(h.Profile.WAN.CallWindow)
	}
	return h.wan.awakeUntil
}

// Endpoint is where the hub calls home.
func (h *Hub) Endpoint() []string {
	if h.endpoint == nil {
		return []string{strings.ToLower(h.Profile.Platform) + ".smso.example:4059"}
	}
	return h.endpoint
}

const maxEndpoint = 120 // octets of one end point

func (h *Hub) setEndpoint(now time.Time, list []string) error {
	if len(list) == 0 {
		return cosem.OtherReason
	}
	for _, e := range list {
		host, port, ok := strings.Cut(e, ":")
		if !ok || host == "" || port == "" || len(e) > maxEndpoint {
			return cosem.OtherReason
		}
	}
	h.endpoint = list
	h.Event(now, core.EventEndpointChanged)
	return nil
}

// AppendSections implements core.Sections.
func (h *Hub) AppendSections(b []byte) []byte {
	if h.net != nil {
		b = core.AppendSection(b, core.SectionNetwork, h.net.append)
	}
	if h.endpoint == nil && h.sms == 0 {
		return b
	}
	return core.AppendSection(b, core.SectionWAN, func(b []byte) []byte {
		b = binary.BigEndian.AppendUint32(b, h.sms)
		for _, e := range h.endpoint {
			b = append(append(b, byte(len(e))), e...)
		}
		return b
	})
}

// RestoreSection implements core.Sections.
func (h *Hub) RestoreSection(s core.Section, r *wire.Reader) bool {
	if s == core.SectionNetwork {
		h.net = restoreNetwork(r)
		return true
	}
	if s != core.SectionWAN {
		return false
	}
	h.sms = r.U32()
	h.endpoint = nil
	for r.Err() == nil && r.Len() > 0 {
		h.endpoint = append(h.endpoint, string(r.Bytes(int(r.U8()))))
	}
	return true
}

// PowerUp implements core.Sections: the hub is off the WAN and knows no requests.
func (h *Hub) PowerUp(time.Time) {
	h.wan = wan{due: h.wan.due}
	h.waiting = nil
}

// Settle implements core.Sections: what a hub does by itself, Advance does.
func (h *Hub) Settle(time.Time) {}

// Model is the type of a hub of a profile: shared by all of them.
func Model(p *profile.Profile) (*server.Model, error) {
	assoc, err := core.Associations(p.Hub.DLMS)
	if err != nil {
		return nil, fmt.Errorf("profile %s: hub: %w", p.Name, err)
	}
	objects := append(core.Objects(core.HubFirmware, &p.Hub),
		server.AutoConnect(AutoConnectName, server.AutoConnectConfig{
			Access: core.Managed, Mode: 1,
			Destinations:    func(c *server.Call) []string { return of(c).Endpoint() },
			SetDestinations: func(c *server.Call, list []string) error { return of(c).setEndpoint(c.Now, list) },
		}),
		server.Data(core.HANDevicesName, server.Value{Access: core.Private, Get: func(c *server.Call, dst []byte) ([]byte, error) {
			h := of(c)
			members := slices.DeleteFunc(slices.Clone(h.cfg.Members), func(m Member) bool { return !h.Allowed(m.EUI) })
			dst = axdr.AppendArrayHeader(dst, len(members))
			for i := range members {
				dst = axdr.AppendStructureHeader(dst, 3)
				dst = axdr.AppendOctetString(dst, members[i].EUI[:])
				dst = axdr.AppendEnum(dst, uint8(members[i].Kind))
				dst = axdr.AppendOctetString(dst, []byte(members[i].Model))
			}
			return dst, nil
		}}),
	)
	objects = append(objects, point.Objects(Points(), of, core.Private, core.Managed)...)
	objects = append(objects, networkObject(), deviceLog(), callObject())
	return server.NewModel(server.Config{
		Name: p.Hub.Manufacturer + " " + p.Hub.Model, Associations: assoc, Objects: objects,
	})
}

func of(c *server.Call) *Hub { return server.State[*Hub](c) }
