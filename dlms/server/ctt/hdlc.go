package ctt

import (
	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/hdlc"
	"smets1/internal/wire"
)

func hdlcCases() []Case {
	return []Case{
		{Name: "HDLC_FRAME_P1", Purpose: "connect and disconnect", run: onLine(hdlcConnect)},
		{Name: "HDLC_FRAME_P2", Purpose: "inter-frame and inter-octet timeout", run: onLine(hdlcInterOctet)},
		{Name: "HDLC_FRAME_P3", Purpose: "inactivity timeout drops the link", run: onLine(hdlcInactivity)},
		{Name: "HDLC_FRAME_N1", Purpose: "missing flags ignored", run: onLine(hdlcIgnored(func(b []byte) []byte { return b[1 : len(b)-1] }))},
		{Name: "HDLC_FRAME_N2", Purpose: "too short frame ignored", run: onLine(hdlcIgnored(func([]byte) []byte { return []byte{0x7E, 0xA0, 0x04, 0x03, 0x21, 0x93, 0x7E} }))},
		{Name: "HDLC_FRAME_N3", Purpose: "wrong frame-format type ignored", run: onLine(hdlcIgnored(func(b []byte) []byte {
			b[1] = b[1]&0x0F | 0x90
			return seal(b)
		}))},
		{Name: "HDLC_FRAME_N4", Purpose: "wrong length subfield ignored", run: onLine(hdlcIgnored(func(b []byte) []byte {
			b[2]++
			return b
		}))},
		{Name: "HDLC_FRAME_N5", Purpose: "unknown control field", run: onLine(hdlcUnknownControl)},
		{Name: "HDLC_FRAME_N7", Purpose: "bad HCS ignored", run: onLine(hdlcBadHCS)},
		{Name: "HDLC_FRAME_N8", Purpose: "bad FCS ignored", run: onLine(hdlcIgnored(func(b []byte) []byte {
			b[len(b)-2] ^= 0xFF
			return b
		}))},
		{Name: "HDLC_ADDRESS_P1", Purpose: "all declared address forms work", run: onLine(hdlcAddresses)},
		{Name: "HDLC_ADDRESS_N1", Purpose: "two-byte source address refused", run: onLine(hdlcIgnored(func([]byte) []byte { return raw([]byte{0x03}, []byte{0x00, 0x21}, 0x93) }))},
		{Name: "HDLC_ADDRESS_N4", Purpose: "unknown destination addresses get no answer", run: onLine(hdlcIgnored(func([]byte) []byte { return raw([]byte{0x5B}, []byte{0x21}, 0x93) }))},
		{Name: "HDLC_ADDRESS_N6", Purpose: "one-byte destination where two or four are expected", run: onLine(hdlcOneByte)},
		{Name: "HDLC_ADDRESS_N7", Purpose: "destination of three or five bytes", run: onLine(hdlcOddAddress)},
		{Name: "HDLC_NDM2NRM_P1", Purpose: "max information field negotiation", run: onLine(hdlcNegotiateInfo)},
		{Name: "HDLC_NDM2NRM_P2", Purpose: "window negotiation", run: onLine(hdlcNegotiateWindow)},
		{Name: "HDLC_INFO_P1", Purpose: "I-frame exchange", run: onLine(hdlcExchange)},
		{Name: "HDLC_INFO_N1", Purpose: "information field too long", run: onLine(hdlcTooLong)},
		{Name: "HDLC_INFO_N2", Purpose: "wrong N(R)", run: onLine(hdlcWrongNR)},
		{Name: "HDLC_INFO_N3", Purpose: "wrong N(S)", run: onLine(hdlcWrongNS)},
		{Name: "HDLC_NDMOP_N1", Purpose: "I-frame while disconnected", run: onLine(hdlcDisconnected)},
	}
}

// station is the client's end of the line, frame by frame.
type station struct {
	t      *Target
	line   Line
	server hdlc.Address
	client hdlc.Address
	limit  int // information field
	ns, nr uint8
}

func onLine(f func(*station) error) func(*Target) error {
	return func(t *Target) error {
		if t.Line == nil {
			return ErrNotApplicable
		}
		line, err := t.Line()
		if err != nil {
			return err
		}
		defer func() { _ = line.Close() }()
		s := &station{t: t, line: line, server: hdlc.Server1(uint8(t.logical())), client: hdlc.Client(uint8(t.Public.Client)), limit: hdlc.DefaultInfo}
		// On a cable a connection outlives whoever had the line before.
		b, err := s.frame(disc, nil)
		if err != nil {
			return err
		}
		if _, err := s.line.Exchange(b); err != nil {
			return err
		}
		return f(s)
	}
}

func (t *Target) logical() uint16 { return max(t.Server, 1) }

// raw is a frame without information, of any addresses.
func raw(destination, source []byte, control byte) []byte {
	n := 2 + len(destination) + len(source) + 1 + 2
	b := []byte{0x7E, 0xA0, byte(n)}
	b = append(append(b, destination...), source...)
	return seal(append(b, control, 0, 0, 0x7E))
}

// seal computes the FCS of a frame without information anew.
func seal(b []byte) []byte {
	fcs := wire.CRC16X25(b[1 : len(b)-3])
	b[len(b)-3], b[len(b)-2] = byte(fcs), byte(fcs>>8)
	return b
}

func (s *station) frame(c hdlc.Control, info []byte) ([]byte, error) {
	return hdlc.Frame{Destination: s.server, Source: s.client, Control: c, Info: info}.AppendBinary(nil)
}

// answers sends bytes and decodes what comes.
func (s *station) answers(b []byte) ([]hdlc.Frame, error) {
	got, err := s.line.Exchange(b)
	if err != nil {
		return nil, err
	}
	var d hdlc.Decoder
	_, _ = d.Write(got)
	var out []hdlc.Frame
	var f hdlc.Frame
	for d.Next(&f) {
		f.Info = append([]byte(nil), f.Info...)
		out = append(out, f)
	}
	return out, nil
}

// send sends a frame and wants one of the kinds back.
func (s *station) send(c hdlc.Control, info []byte, want ...hdlc.Kind) (hdlc.Frame, error) {
	b, err := s.frame(c, info)
	if err != nil {
		return hdlc.Frame{}, err
	}
	got, err := s.answers(b)
	if err != nil {
		return hdlc.Frame{}, err
	}
	if len(got) == 0 {
		return hdlc.Frame{}, failf("%v got no answer, want %v", c, want)
	}
	for _, k := range want {
		if got[0].Control.Kind == k {
			return got[0], nil
		}
	}
	return got[0], failf("%v was answered %v, want %v", c, got[0].Control, want)
}

func (s *station) quiet(b []byte) error {
	got, err := s.line.Exchange(b)
	if err == nil && len(got) > 0 {
		err = failf("% X was answered % X, want silence", b, got)
	}
	return err
}

var (
	snrm = hdlc.Control{Kind: hdlc.SNRM, Final: true}
	disc = hdlc.Control{Kind: hdlc.DISC, Final: true}
)

func (s *station) connect() error {
	_, err := s.send(snrm, nil, hdlc.UA)
	return err
}

func info(ns, nr uint8) hdlc.Control { return hdlc.Control{Kind: hdlc.I, NS: ns, NR: nr, Final: true} }

// open connects and opens the public association.
func (s *station) open() error {
	if err := s.connect(); err != nil {
		return err
	}
	return s.associate()
}

func hdlcConnect(s *station) error {
	if _, err := s.send(disc, nil, hdlc.DM); err != nil {
		return err
	}
	if err := s.open(); err != nil {
		return err
	}
	if _, err := s.send(disc, nil, hdlc.UA); err != nil {
		return err
	}
	_, err := s.send(disc, nil, hdlc.DM)
	return err
}

func hdlcInterOctet(s *station) error {
	b, err := s.frame(snrm, nil)
	if err != nil {
		return err
	}
	// A frame that stops in the middle is given up, and the next whole one is served.
	if err := s.quiet(b[:len(b)/2]); err != nil {
		return err
	}
	if err := s.line.Wait(7); err != nil {
		return err
	}
	return s.connect()
}

func hdlcInactivity(s *station) error {
	if err := s.open(); err != nil {
		return err
	}
	if err := s.line.Wait(121); err != nil {
		return err
	}
	_, err := s.send(hdlc.Control{Kind: hdlc.RR, NR: 1, Final: true}, nil, hdlc.DM)
	return err
}

// hdlcIgnored sends a spoiled SNRM, which must not be answered, and then a good one.
func hdlcIgnored(spoil func([]byte) []byte) func(*station) error {
	return func(s *station) error {
		b, err := s.frame(snrm, nil)
		if err != nil {
			return err
		}
		if err := s.quiet(spoil(b)); err != nil {
			return err
		}
		if err := s.line.Wait(7); err != nil {
			return err
		}
		return s.connect()
	}
}

func hdlcUnknownControl(s *station) error {
	if err := s.connect(); err != nil {
		return err
	}
	if _, err := s.send(hdlc.Control{Kind: hdlc.Unknown, Raw: 0xFF}, nil, hdlc.FRMR, hdlc.DM); err != nil {
		return err
	}
	return s.connect()
}

func hdlcBadHCS(s *station) error {
	p, err := hdlc.Params{InfoTransmit: 128}.AppendBinary(nil)
	if err != nil {
		return err
	}
	b, err := s.frame(snrm, p)
	if err != nil {
		return err
	}
	b[6] ^= 0xFF // HCS follows format, two addresses and control
	if err := s.quiet(b); err != nil {
		return err
	}
	if err := s.line.Wait(7); err != nil {
		return err
	}
	return s.connect()
}

func hdlcAddresses(s *station) error {
	l, p := s.t.logical(), s.t.Physical
	for _, a := range []hdlc.Address{hdlc.Server1(uint8(l)), hdlc.Server2(uint8(l), uint8(p)), hdlc.Server4(l, p)} {
		s.server = a
		if err := s.connect(); err != nil {
			return failf("address %v: %w", a, err)
		}
		if _, err := s.send(disc, nil, hdlc.UA); err != nil {
			return err
		}
	}
	return nil
}

// hdlcOneByte: a meter that also takes one byte answers, one that does not keeps silent; both go on.
func hdlcOneByte(s *station) error {
	b, err := s.frame(snrm, nil)
	if err != nil {
		return err
	}
	got, err := s.answers(b)
	if err != nil {
		return err
	}
	if len(got) > 0 && got[0].Control.Kind != hdlc.UA && got[0].Control.Kind != hdlc.DM {
		return failf("answered %v", got[0].Control)
	}
	s.server = hdlc.Server4(s.t.logical(), s.t.Physical)
	return s.connect()
}

func hdlcOddAddress(s *station) error {
	for _, a := range [][]byte{{0x00, 0x02, 0x23}, {0x00, 0x02, 0x00, 0x00, 0x23}} {
		if err := s.quiet(raw(a, []byte{0x21}, 0x93)); err != nil {
			return err
		}
		if err := s.line.Wait(7); err != nil {
			return err
		}
	}
	return s.connect()
}

func hdlcNegotiateInfo(s *station) error {
	for _, want := range []uint16{40, 64, 128, 2030} {
		b, err := hdlc.Params{InfoTransmit: want, InfoReceive: want}.AppendBinary(nil)
		if err != nil {
			return err
		}
		f, err := s.send(snrm, b, hdlc.UA)
		if err != nil {
			return err
		}
		p, err := hdlc.ParseParams(f.Info)
		if err != nil {
			return err
		}
		if p.InfoTransmit > want || p.InfoReceive > want {
			return failf("%d bytes proposed, %d and %d answered", want, p.InfoTransmit, p.InfoReceive)
		}
		// The association view comes in frames of no more than that.
		s.limit = int(p.InfoTransmit)
		if err := s.associate(); err != nil {
			return failf("%d bytes: %w", want, err)
		}
		get, err := apdu.GetRequestNormal{InvokeID: apdu.ConfirmedInvoke(1), Attribute: objectListAttribute}.AppendBinary(nil)
		if err != nil {
			return err
		}
		if _, err := s.exchange(get); err != nil {
			return failf("%d bytes: %w", want, err)
		}
	}
	return nil
}

// exchange sends an APDU in segments, with window 1, and gives the reply.
func (s *station) exchange(b []byte) ([]byte, error) {
	b = append([]byte{0xE6, 0xE6, 0x00}, b...)
	var reply []byte
	for more := true; more; {
		f := hdlc.Frame{Destination: s.server, Source: s.client, Control: hdlc.Control{Kind: hdlc.RR, NR: s.nr, Final: true}}
		sending := len(b) > 0
		if sending {
			n := min(len(b), s.limit)
			f.Control, f.Info, f.Segmented = info(s.ns, s.nr), b[:n], n < len(b)
			b, s.ns = b[n:], (s.ns+1)&7
		}
		raw, err := f.AppendBinary(nil)
		if err != nil {
			return nil, err
		}
		got, err := s.answers(raw)
		if err != nil {
			return nil, err
		}
		if len(got) == 0 {
			return nil, failf("%v got no answer", f.Control)
		}
		for _, g := range got {
			switch {
			case sending && f.Segmented:
				if g.Control.Kind != hdlc.RR || g.Control.NR != s.ns {
					return nil, failf("a segment was answered %v, want RR N(R)=%d", g.Control, s.ns)
				}
			case g.Control.Kind != hdlc.I || g.Control.NS != s.nr || len(g.Info) > s.limit:
				return nil, failf("%v with %d bytes came, want I N(S)=%d", g.Control, len(g.Info), s.nr)
			default:
				reply = append(reply, g.Info...)
				s.nr = (s.nr + 1) & 7
				more = g.Segmented
			}
		}
	}
	if len(reply) < 4 || [3]byte(reply) != [3]byte{0xE6, 0xE7, 0x00} {
		return nil, failf("the reply % X does not start with its LLC bytes", reply)
	}
	return reply[3:], nil
}

// associate opens the public association on a fresh link.
func (s *station) associate() error {
	s.ns, s.nr = 0, 0
	plain, err := initiateRequest().AppendBinary(nil)
	if err != nil {
		return err
	}
	q, err := acse.AARQ{Context: acse.ContextLN, UserInformation: plain}.AppendBinary(nil)
	if err != nil {
		return err
	}
	b, err := s.exchange(q)
	if err != nil {
		return err
	}
	r, _, err := acse.ParseAARE(b)
	if err != nil {
		return err
	}
	return r.Err()
}

func hdlcNegotiateWindow(s *station) error {
	for _, want := range []uint8{1, 3, 7} {
		b, err := hdlc.Params{WindowTransmit: want, WindowReceive: want}.AppendBinary(nil)
		if err != nil {
			return err
		}
		f, err := s.send(snrm, b, hdlc.UA)
		if err != nil {
			return err
		}
		p, err := hdlc.ParseParams(f.Info)
		if err != nil {
			return err
		}
		if p.WindowTransmit > want || p.WindowReceive > want {
			return failf("window %d proposed, %d and %d answered", want, p.WindowTransmit, p.WindowReceive)
		}
		s.limit = hdlc.DefaultInfo
		if err := s.associate(); err != nil {
			return err
		}
	}
	return nil
}

// nameRequest reads the logical device name.
func (s *station) nameRequest() []byte {
	b, _ := apdu.GetRequestNormal{InvokeID: apdu.ConfirmedInvoke(1), Attribute: logicalDeviceName}.AppendBinary(nil)
	return b
}

func hdlcExchange(s *station) error {
	if err := s.open(); err != nil {
		return err
	}
	// More exchanges than there are numbers.
	for range 10 {
		b, err := s.exchange(s.nameRequest())
		if err != nil {
			return err
		}
		if r, _, err := apdu.ParseGetResponseNormal(b); err != nil || r.Result.Err() != nil {
			return failf("the logical device name reads % X", b)
		}
	}
	return nil
}

func hdlcTooLong(s *station) error {
	if err := s.open(); err != nil {
		return err
	}
	if _, err := s.send(info(s.ns, s.nr), make([]byte, hdlc.DefaultInfo+1), hdlc.FRMR, hdlc.RR); err != nil {
		return err
	}
	return s.open()
}

func hdlcWrongNR(s *station) error {
	if err := s.open(); err != nil {
		return err
	}
	if _, err := s.send(hdlc.Control{Kind: hdlc.RR, NR: (s.nr + 3) & 7, Final: true}, nil, hdlc.FRMR, hdlc.RR); err != nil {
		return err
	}
	return s.open()
}

// hdlcWrongNS: a frame out of step is not executed, a repeated one not twice; the meter says what it expects.
func hdlcWrongNS(s *station) error {
	if err := s.open(); err != nil {
		return err
	}
	request := append([]byte{0xE6, 0xE6, 0x00}, s.nameRequest()...)
	f, err := s.send(info((s.ns+2)&7, s.nr), request, hdlc.RR, hdlc.REJ)
	if err != nil {
		return err
	}
	if f.Control.NR != s.ns {
		return failf("%v came for N(S)=%d, want N(R)=%d", f.Control, s.ns+2, s.ns)
	}
	if _, err := s.exchange(s.nameRequest()); err != nil {
		return err
	}
	// Its reply did not arrive, says the client, and repeats the request.
	f, err = s.send(info((s.ns-1)&7, (s.nr-1)&7), request, hdlc.I)
	if err != nil {
		return err
	}
	if f.Control.NS != (s.nr-1)&7 {
		return failf("a repeated request was answered %v, want the reply N(S)=%d again", f.Control, (s.nr-1)&7)
	}
	_, err = s.exchange(s.nameRequest())
	return err
}

func hdlcDisconnected(s *station) error {
	b, err := s.frame(info(0, 0), append([]byte{0xE6, 0xE6, 0x00}, s.nameRequest()...))
	if err != nil {
		return err
	}
	got, err := s.answers(b)
	if err != nil {
		return err
	}
	if len(got) > 0 && got[0].Control.Kind != hdlc.DM {
		return failf("an I-frame without a link was answered %v, want DM or silence", got[0].Control)
	}
	return s.open()
}
