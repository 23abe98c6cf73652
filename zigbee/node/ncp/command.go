package ncp

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"smets1/internal/wire"
	"smets1/zigbee/ezsp"
	"smets1/zigbee/node"
	"smets1/zigbee/nwk"
	"smets1/zigbee/security"
)

// answer does a command and answers it. A command whose parameters cannot be read changes nothing.
func (s *Server) answer(f *ezsp.Frame) {
	reply := ezsp.Frame{Sequence: f.Sequence, Old: f.Old, Command: f.Command}
	do := commands[f.Command]
	switch {
	case f.Command == ezsp.CmdVersion:
		m, _, err := ezsp.Parse[ezsp.VersionRequest](f.Parameters)
		s.version = err == nil && m.Wanted == ezsp.Version
		reply.Parameters, _ = ezsp.Append(nil, &ezsp.VersionResponse{
			Protocol: ezsp.Version, StackType: 2, StackVersion: uint16(Release.Major)<<12 | uint16(Release.Minor)<<8 | uint16(Release.Patch)<<4,
		})
	case !s.version:
		reply.Command, reply.Parameters = ezsp.InvalidCommand, []byte{byte(ezsp.VersionNotSet)}
	case do == nil:
		s.stats.Unknown++
		reply.Command, reply.Parameters = ezsp.InvalidCommand, []byte{byte(ezsp.InvalidFrameID)}
	default:
		reply.Parameters = do(s, f.Parameters)
	}
	s.send(reply)
}

// commands are what the co-processor can do, but for the version.
var commands map[ezsp.Command]func(*Server, []byte) []byte

func init() {
	commands = map[ezsp.Command]func(*Server, []byte) []byte{
		ezsp.CmdNop:                     func(*Server, []byte) []byte { return nil },
		ezsp.CmdEcho:                    (*Server).echo,
		ezsp.CmdGetEUI64:                func(s *Server, _ []byte) []byte { return appendEUI(nil, s.cfg.EUI) },
		ezsp.CmdGetNodeID:               (*Server).nodeID,
		ezsp.CmdGetConfigurationValue:   (*Server).getConfig,
		ezsp.CmdSetConfigurationValue:   (*Server).setConfig,
		ezsp.CmdGetValue:                (*Server).getValue,
		ezsp.CmdSetValue:                (*Server).setValue,
		ezsp.CmdGetExtendedValue:        (*Server).getExtendedValue,
		ezsp.CmdSetPolicy:               (*Server).setPolicy,
		ezsp.CmdSetManufacturerCode:     (*Server).setManufacturer,
		ezsp.CmdSetConcentrator:         good,
		ezsp.CmdSetMulticastTableEntry:  good,
		ezsp.CmdSetRadioPower:           good,
		ezsp.CmdEraseKeyTableEntry:      good,
		ezsp.CmdSetSourceRouteDiscovery: func(*Server, []byte) []byte { return make([]byte, 4) },
		ezsp.CmdReadAndClearCounters:    func(*Server, []byte) []byte { return make([]byte, 2*ezsp.Counters) },
		ezsp.CmdAddEndpoint:             (*Server).addEndpoint,
		ezsp.CmdNetworkInit:             (*Server).networkInit,
		ezsp.CmdNetworkState:            (*Server).networkState,
		ezsp.CmdFormNetwork:             (*Server).formNetwork,
		ezsp.CmdLeaveNetwork:            (*Server).leaveNetwork,
		ezsp.CmdPermitJoining:           (*Server).permitJoining,
		ezsp.CmdGetNetworkParameters:    (*Server).networkParameters,
		ezsp.CmdLookupNodeID:            (*Server).lookupNodeID,
		ezsp.CmdLookupEUI64:             (*Server).lookupEUI,
		ezsp.CmdSendUnicast:             (*Server).sendUnicast,
		ezsp.CmdSendBroadcast:           (*Server).sendBroadcast,
		ezsp.CmdSendMulticast:           (*Server).sendMulticast,
		ezsp.CmdSetInitialSecurityState: (*Server).setSecurity,
		ezsp.CmdClearKeyTable:           good,
		ezsp.CmdClearTransientLinkKeys:  (*Server).clearTransientKeys,
		ezsp.CmdImportTransientKey:      (*Server).importTransientKey,
		ezsp.CmdImportLinkKey:           (*Server).importLinkKey,
		ezsp.CmdExportLinkKeyByIndex:    (*Server).exportLinkKey,
		ezsp.CmdExportKey:               (*Server).exportKey,
		ezsp.CmdGetNetworkKeyInfo:       (*Server).networkKeyInfo,
		ezsp.CmdMfglibStart:             (*Server).startSniffing,
		ezsp.CmdMfglibEnd:               (*Server).endSniffing,
		ezsp.CmdMfglibSetChannel:        (*Server).setChannel,
		ezsp.CmdMfglibGetChannel:        func(s *Server, _ []byte) []byte { return []byte{s.channel} },
		ezsp.CmdMfglibSendPacket:        (*Server).sendPacket,
	}
}

func status(s ezsp.Status) []byte { return []byte{byte(s)} }

func keyStatus(s ezsp.KeyStatus) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(s)) }

// good takes what makes no difference to a stack in memory.
func good(*Server, []byte) []byte { return status(ezsp.Success) }

func appendEUI(b []byte, e wire.EUI64) []byte {
	return binary.LittleEndian.AppendUint64(b, binary.BigEndian.Uint64(e[:]))
}

func readEUI(r *wire.Reader) (e wire.EUI64) {
	binary.BigEndian.PutUint64(e[:], r.LE64())
	return e
}

func (s *Server) echo(b []byte) []byte {
	r := wire.NewReader(b)
	data := r.Bytes(int(r.U8()))
	return append([]byte{byte(len(data))}, data...)
}

func (s *Server) nodeID([]byte) []byte {
	short := uint16(ezsp.UnknownNode)
	if s.node != nil {
		short = s.node.Short()
	}
	return binary.LittleEndian.AppendUint16(nil, short)
}

func (s *Server) getConfig(b []byte) []byte {
	r := wire.NewReader(b)
	v, ok := s.config[r.U8()]
	if !ok {
		return []byte{byte(ezsp.InvalidID), 0, 0}
	}
	return binary.LittleEndian.AppendUint16(status(ezsp.Success), v)
}

func (s *Server) setConfig(b []byte) []byte {
	r := wire.NewReader(b)
	id, v := r.U8(), r.LE16()
	if r.Err() != nil {
		return status(ezsp.BadArgument)
	}
	s.config[id] = v
	return status(ezsp.Success)
}

func (s *Server) getValue(b []byte) []byte {
	r := wire.NewReader(b)
	id := r.U8()
	v, ok := s.values[id]
	if id == ezsp.ValueVersionInfo {
		v, _ = ezsp.Append(nil, &Release)
		ok = true
	}
	if !ok || r.Err() != nil {
		return []byte{byte(ezsp.InvalidID), 0}
	}
	return append([]byte{byte(ezsp.Success), byte(len(v))}, v...)
}

func (s *Server) setValue(b []byte) []byte {
	m, _, err := ezsp.Parse[ezsp.Value](b)
	if err != nil {
		return status(ezsp.BadArgument)
	}
	s.values[m.ID] = bytes.Clone(m.Value)
	return status(ezsp.Success)
}

func (s *Server) getExtendedValue(b []byte) []byte {
	r := wire.NewReader(b)
	id, of := r.U8(), r.LE32()
	known := slices.ContainsFunc(s.endpoints, func(e *node.Endpoint) bool { return uint32(e.ID) == of })
	switch {
	case r.Err() != nil || id != ezsp.ValueEndpoint:
		return []byte{byte(ezsp.InvalidID), 0}
	case !known:
		return []byte{byte(ezsp.InvalidID), 2, 0, 0} // hosts want the flags also of an endpoint that is not there
	}
	return []byte{byte(ezsp.Success), 2, 1, 0} // the endpoint is enabled
}

func (s *Server) setPolicy(b []byte) []byte {
	r := wire.NewReader(b)
	id, decision := r.U8(), r.U8()
	if r.Err() != nil {
		return status(ezsp.BadArgument)
	}
	if id == ezsp.PolicyTrustCentre {
		s.closed = decision&ezsp.AllowJoins == 0
		s.admitAnyone()
	}
	return status(ezsp.Success)
}

func (s *Server) admitAnyone() {
	if s.node != nil {
		s.node.AdmitAnyone(s.openKey())
	}
}

func (s *Server) setManufacturer(b []byte) []byte {
	r := wire.NewReader(b)
	if code := r.LE16(); r.Err() == nil {
		s.maker = code // of the next network: a node descriptor does not change under way
	}
	return nil
}

func (s *Server) addEndpoint(b []byte) []byte {
	m, _, err := ezsp.Parse[ezsp.AddEndpoint](b)
	if err != nil {
		return status(ezsp.BadArgument)
	}
	if s.node != nil {
		return status(ezsp.InvalidCall)
	}
	e := &node.Endpoint{ID: m.Endpoint, Profile: m.Profile, Device: m.Device, Version: m.DeviceVersion, Clusters: clusters(m.In, m.Out)}
	if e.ID == 0 || e.ID == 0xFF {
		return status(ezsp.BadArgument)
	}
	s.endpoints = append(slices.DeleteFunc(s.endpoints, func(x *node.Endpoint) bool { return x.ID == e.ID }), e)
	return status(ezsp.Success)
}

func (s *Server) networkInit([]byte) []byte {
	switch {
	case s.node != nil || s.sniffing:
		return status(ezsp.InvalidCall)
	case len(s.state) == 0:
		return status(ezsp.NotJoined)
	}
	return status(s.start(s.state))
}

func (s *Server) networkState([]byte) []byte {
	if s.node == nil {
		return []byte{byte(ezsp.NoNetwork)}
	}
	return []byte{byte(ezsp.OnNetwork)}
}

func (s *Server) formNetwork(b []byte) []byte {
	m, _, err := ezsp.Parse[ezsp.NetworkParameters](b)
	switch {
	case err != nil, m.Channel < 11 || m.Channel > 26, m.PAN >= 0xFFFE:
		return status(ezsp.BadArgument)
	case s.node != nil || s.sniffing || s.security.Bits == 0:
		return status(ezsp.InvalidCall)
	}
	s.network = m
	return status(s.start(nil))
}

func (s *Server) leaveNetwork([]byte) []byte {
	if s.node == nil {
		return status(ezsp.InvalidCall)
	}
	s.node, s.state = nil, nil
	if s.cfg.Save != nil {
		_ = s.cfg.Save(nil) // a network that comes back after the power is one that the host sees, and leaves again
	}
	s.quiet()
	s.tellLater(ezsp.NetworkDown)
	return status(ezsp.Success)
}

func (s *Server) permitJoining(b []byte) []byte {
	r := wire.NewReader(b)
	d := r.U8()
	if r.Err() != nil {
		return status(ezsp.BadArgument)
	}
	if s.node == nil || s.node.Permit(s.now, time.Duration(d)*time.Second) != nil {
		return status(ezsp.InvalidCall)
	}
	st := ezsp.NetworkOpened
	if d == 0 {
		st = ezsp.NetworkClosed
	}
	s.tellLater(st)
	return status(ezsp.Success)
}

func (s *Server) networkParameters([]byte) []byte {
	b := status(ezsp.NotJoined)
	p := ezsp.NetworkParameters{PAN: 0xFFFF}
	kind := byte(0)
	if n := s.node; n != nil {
		b, kind = status(ezsp.Success), ezsp.NodeCoordinator
		p = ezsp.NetworkParameters{
			ExtendedPAN: n.ExtendedPAN(), PAN: n.PAN(), Power: s.network.Power, Channel: n.Channel(), Channels: 1 << n.Channel(), UpdateID: s.network.UpdateID,
		}
	}
	b, _ = ezsp.Append(append(b, kind), &p)
	return b
}

func (s *Server) lookupNodeID(b []byte) []byte {
	r := wire.NewReader(b)
	e := readEUI(&r)
	short := uint16(ezsp.UnknownNode)
	if s.node != nil && r.Err() == nil {
		if a, ok := s.node.DeviceShort(e); ok {
			short = a
		}
	}
	return binary.LittleEndian.AppendUint16(nil, short)
}

func (s *Server) lookupEUI(b []byte) []byte {
	r := wire.NewReader(b)
	short := r.LE16()
	if s.node != nil && r.Err() == nil {
		if e, ok := s.node.DeviceEUI(short); ok {
			return appendEUI(status(ezsp.Success), e)
		}
	}
	return appendEUI(status(ezsp.BadArgument), ezsp.AnyDevice)
}

func sent(st ezsp.Status, sequence uint8) []byte {
	b, _ := ezsp.Append(nil, &ezsp.SendResponse{Status: st, Sequence: sequence})
	return b
}

// transmit sends a host's message and tells it of the end.
func (s *Server) transmit(kind uint8, to uint16, a ezsp.APSFrame, tag uint8, message []byte) []byte {
	if s.node == nil {
		return sent(ezsp.NetworkDown, 0)
	}
	m := node.Raw{
		To: to, Profile: a.Profile, Cluster: a.Cluster, SrcEndpoint: a.SrcEndpoint, DstEndpoint: a.DstEndpoint, Payload: bytes.Clone(message),
		Acknowledge: a.Options&ezsp.OptionRetry != 0, Encrypt: a.Options&ezsp.OptionEncrypt != 0,
	}
	if kind == ezsp.OutgoingMulticast {
		m.Group = a.Group
	}
	over := ezsp.MessageSent{Type: kind, To: to, APS: a, Tag: tag}
	counter, err := s.node.SendRaw(s.now, m, func(now time.Time, err error) {
		s.now = now
		if err != nil {
			over.Status = ezsp.DeliveryFailed
		}
		// Not before the answer to the command, which tells the sequence number.
		if b, err := ezsp.Append(nil, &over); err == nil {
			s.later = append(s.later, callback{now, ezsp.CmdMessageSentHandler, b})
		}
	})
	if err != nil {
		return sent(ezsp.InvalidCall, 0)
	}
	over.APS.Sequence = counter
	return sent(ezsp.Success, counter)
}

func (s *Server) sendUnicast(b []byte) []byte {
	m, _, err := ezsp.Parse[ezsp.SendUnicast](b)
	if err != nil || m.Type != ezsp.OutgoingDirect {
		return sent(ezsp.BadArgument, 0)
	}
	return s.transmit(m.Type, m.To, m.APS, m.Tag, m.Message)
}

func (s *Server) sendBroadcast(b []byte) []byte {
	m, _, err := ezsp.Parse[ezsp.SendBroadcast](b)
	if err != nil || !nwk.IsBroadcast(m.To) {
		return sent(ezsp.BadArgument, 0)
	}
	return s.transmit(ezsp.OutgoingBroadcast, m.To, m.APS, m.Tag, m.Message)
}

func (s *Server) sendMulticast(b []byte) []byte {
	m, _, err := ezsp.Parse[ezsp.SendMulticast](b)
	if err != nil {
		return sent(ezsp.BadArgument, 0)
	}
	return s.transmit(ezsp.OutgoingMulticast, nwk.BroadcastRxOnWhenIdle, m.APS, m.Tag, m.Message)
}

func (s *Server) setSecurity(b []byte) []byte {
	m, _, err := ezsp.Parse[ezsp.InitialSecurityState](b)
	if err != nil {
		return status(ezsp.BadArgument)
	}
	if s.node != nil {
		return status(ezsp.InvalidCall)
	}
	if m.Bits&ezsp.SecurityHaveNetwork == 0 {
		m.NetworkKey = security.Key{} // the stack makes one
	}
	s.security = m
	return status(ezsp.Success)
}

func (s *Server) clearTransientKeys([]byte) []byte {
	s.anyone = security.Key{}
	s.admitAnyone()
	return nil
}

func (s *Server) importTransientKey(b []byte) []byte {
	m, _, err := ezsp.Parse[ezsp.ImportTransientKey](b)
	switch {
	case err != nil:
		return keyStatus(ezsp.KeyInvalid)
	case m.Device == ezsp.AnyDevice:
		s.anyone = m.Key
		s.admitAnyone()
	case s.node == nil || s.node.Admit(s.now, m.Device, m.Key) != nil:
		return keyStatus(ezsp.KeyInvalid)
	}
	return keyStatus(ezsp.KeySuccess)
}

func (s *Server) importLinkKey(b []byte) []byte {
	m, _, err := ezsp.Parse[ezsp.ImportLinkKey](b)
	if err != nil || s.node == nil || s.node.SetLinkKey(s.now, m.Device, m.Key) != nil {
		return keyStatus(ezsp.KeyInvalid)
	}
	return keyStatus(ezsp.KeySuccess)
}

func (s *Server) exportLinkKey(b []byte) []byte {
	r := wire.NewReader(b)
	index := int(r.U8())
	m := ezsp.ExportedLinkKey{Status: ezsp.KeyNotFound}
	if s.node != nil && r.Err() == nil {
		keys := s.node.LinkKeys()
		var devices []wire.EUI64
		for e := range keys {
			devices = append(devices, e)
		}
		slices.SortFunc(devices, func(a, b wire.EUI64) int { return bytes.Compare(a[:], b[:]) })
		if index < len(devices) {
			m = ezsp.ExportedLinkKey{Device: devices[index], Key: keys[devices[index]]}
		}
	}
	out, _ := ezsp.Append(nil, &m)
	return out
}

func (s *Server) exportKey(b []byte) []byte {
	m, _, err := ezsp.Parse[ezsp.KeyContext](b)
	out := ezsp.ExportedKey{Status: ezsp.KeyNotFound}
	switch {
	case err != nil:
		out.Status = ezsp.KeyInvalid
	case m.Type == ezsp.KeyNetwork && s.node != nil:
		out = ezsp.ExportedKey{Key: s.node.NetworkKey()}
	case m.Type == ezsp.KeyTrustCentre && s.node != nil:
		out = ezsp.ExportedKey{Key: s.centre}
	}
	r, _ := ezsp.Append(nil, &out)
	return r
}

func (s *Server) networkKeyInfo([]byte) []byte {
	m := ezsp.NetworkKeyInfo{}
	if s.node != nil {
		m = ezsp.NetworkKeyInfo{Set: true, Sequence: s.node.NetworkKeySequence(), Counter: s.node.NetworkCounter()}
	}
	b, _ := ezsp.Append(nil, &m)
	return b
}

func (s *Server) startSniffing([]byte) []byte {
	p, ok := s.radio.(promiscuous)
	if s.node != nil || s.sniffing || !ok {
		return status(ezsp.InvalidCall)
	}
	s.sniffing, s.channel = true, max(s.channel, 11)
	p.Promiscuous(true)
	s.radio.Tune(s.now, s.channel, true)
	return status(ezsp.Success)
}

func (s *Server) endSniffing([]byte) []byte {
	if !s.sniffing {
		return status(ezsp.InvalidCall)
	}
	s.stopSniffing()
	return status(ezsp.Success)
}

func (s *Server) setChannel(b []byte) []byte {
	r := wire.NewReader(b)
	c := r.U8()
	switch {
	case r.Err() != nil || c < 11 || c > 26:
		return status(ezsp.BadArgument)
	case !s.sniffing:
		return status(ezsp.InvalidCall)
	}
	s.channel = c
	s.radio.Tune(s.now, c, true)
	return status(ezsp.Success)
}

func (s *Server) sendPacket(b []byte) []byte {
	r := wire.NewReader(b)
	psdu := r.Bytes(int(r.U8()))
	switch {
	case r.Err() != nil || len(psdu) < 5 || len(psdu) > 127:
		return status(ezsp.BadArgument)
	case !s.sniffing || s.sending != nil:
		return status(ezsp.InvalidCall)
	}
	s.sending = withFCS(psdu)
	if s.radio.Transmit(s.now, s.sending, 0) != nil {
		s.sending = nil
		return status(ezsp.InvalidCall)
	}
	return status(ezsp.Success)
}
