package ncp

import (
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/ezsp"
	"smets1/zigbee/security"
	"smets1/zigbee/zcl"
	"smets1/zigbee/zcl/se"
)

// onTheWay is what a message of key establishment may take, beside what the device says it needs (ours).
const onTheWay = 15 * time.Second

// exchange is one key establishment with a device. The stock firmware has none: it runs here.
type exchange struct {
	device wire.EUI64
	short  uint16
	k      *security.KeyEstablishment
	due    time.Time
	reply  uint8 // sequence of the next message
}

// keyMessage takes a message of the Key Establishment cluster.
func (h *Host) keyMessage(now time.Time, m *ezsp.IncomingMessage) {
	device, ok := h.known[m.From]
	f, _, err := zcl.ParseFrame(m.Message)
	if !ok || err != nil || f.Type != zcl.TypeCluster || f.FromServer {
		return
	}
	message := security.KEMessage{Command: security.KECommand(f.Command), Payload: append([]byte(nil), f.Payload...)}
	x := h.exchange[device]
	if message.Command == security.KEInitiate {
		i := &h.cfg.Identity
		k, err := security.NewResponder(security.KEConfig{Certificate: i.Certificate, Key: i.Key, Authorities: i.Authorities, Peer: device, Rand: h.cfg.Entropy})
		if err != nil {
			h.cfg.Notify(now, HostEvent{Kind: KeyFailed, Device: device, Short: m.From, Err: err})
			return
		}
		x = &exchange{device: device, short: m.From, k: k}
		h.exchange[device] = x
	}
	if x == nil {
		return
	}
	reply, err := x.k.Receive(message)
	if reply.Payload != nil {
		h.sendKey(now, m, x, reply)
	}
	x.due = now.Add(x.k.Wait() + onTheWay)
	switch {
	case err != nil:
		h.endKey(now, x, err)
	case x.k.Done():
		delete(h.exchange, device)
		key := x.k.LinkKey()
		if err := h.SetLinkKey(now, device, key, func(now time.Time, err error) {
			e := HostEvent{Kind: DeviceKeyed, Device: device, Short: x.short}
			if err != nil {
				e.Kind, e.Err = KeyFailed, err
			}
			h.cfg.Notify(now, e)
		}); err != nil {
			h.endKey(now, x, err)
		}
	}
}

func (h *Host) endKey(now time.Time, x *exchange, err error) {
	delete(h.exchange, x.device)
	h.cfg.Notify(now, HostEvent{Kind: KeyFailed, Device: x.device, Short: x.short, Err: err})
}

func (h *Host) sendKey(now time.Time, m *ezsp.IncomingMessage, x *exchange, reply security.KEMessage) {
	x.reply++
	b, err := se.Append(nil, zcl.Header{Sequence: x.reply, FromServer: true, DisableDefaultResponse: true}, se.KeyEstablishmentCommand{Server: true, Message: reply})
	if err != nil {
		return
	}
	a := ezsp.APSFrame{
		Profile: se.Profile, Cluster: uint16(se.KeyEstablishment), SrcEndpoint: m.APS.DstEndpoint, DstEndpoint: m.APS.SrcEndpoint,
		Options: ezsp.OptionRetry | ezsp.OptionRouteDiscover,
	}
	// Whether it arrived shows in what the device says next.
	if err := h.Send(now, m.From, a, b, func(time.Time, error) {}); err != nil {
		h.endKey(now, x, err)
	}
}

// advanceKeys ends exchanges whose other side fell silent.
func (h *Host) advanceKeys(now time.Time) {
	for _, x := range h.exchange {
		if !x.due.IsZero() && !now.Before(x.due) {
			h.endKey(now, x, silence("the device fell silent during key establishment"))
		}
	}
}
