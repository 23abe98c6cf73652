package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/client"
	"smets1/dlms/hdlc"
	"smets1/dlms/security"
	"smets1/dlms/wrapper"
)

const protectBoth = security.Authenticated | security.Encrypted

// framing carries APDUs over a connection.
type framing interface {
	append(b, apdu []byte) ([]byte, error)
	// read reads one frame and gives the APDU in it.
	read(r io.Reader) ([]byte, error)
}

type wrapped struct {
	client uint16
	buf    [512]byte
}

func (w *wrapped) append(b, apdu []byte) ([]byte, error) {
	return wrapper.Append(b, w.client, 1, apdu)
}

func (w *wrapped) read(r io.Reader) ([]byte, error) {
	n, err := io.ReadAtLeast(r, w.buf[:], wrapper.Size)
	if err != nil {
		return nil, err
	}
	size := wrapper.Size + int(binary.BigEndian.Uint16(w.buf[6:]))
	if n < size {
		if _, err := io.ReadFull(r, w.buf[n:size]); err != nil {
			return nil, err
		}
	}
	return w.buf[wrapper.Size:size], nil
}

type framed struct {
	client uint8
	ns, nr uint8
	info   [512]byte
	buf    [512]byte
}

func (f *framed) append(b, apdu []byte) ([]byte, error) {
	info := append(append(f.info[:0], 0xE6, 0xE6, 0x00), apdu...)
	out, err := hdlc.Frame{
		Destination: hdlc.Server1(1), Source: hdlc.Client(f.client), Info: info,
		Control: hdlc.Control{Kind: hdlc.I, NS: f.ns, NR: f.nr, Final: true},
	}.AppendBinary(b)
	f.ns = (f.ns + 1) & 7
	return out, err
}

func (f *framed) read(r io.Reader) ([]byte, error) {
	n, err := io.ReadAtLeast(r, f.buf[:], 3)
	if err != nil {
		return nil, err
	}
	size := 2 + int(binary.BigEndian.Uint16(f.buf[1:])&0x7FF)
	if n < size {
		if _, err := io.ReadFull(r, f.buf[n:size]); err != nil {
			return nil, err
		}
	}
	f.nr = (f.nr + 1) & 7
	if size < 14 {
		return f.buf[:0], nil
	}
	return f.buf[11 : size-3], nil // flag, format, addresses, control, HCS, LLC … FCS, flag
}

// session is an open association on a connection.
type session struct {
	conn    net.Conn
	framing framing
	secured bool
	cipher  *security.Cipher
	ic      uint32
	get     []byte
	out     []byte
	apdu    []byte
	plain   []byte
}

// getResponse is how the answer begins: normal, its invoke-id, data.
var getResponse = []byte{0xC4, 0x01, 0xC1, 0x00}

func dial(b *testing.B, address string, onLine, secured bool) *session {
	b.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(b, err)
	b.Cleanup(func() { _ = conn.Close() })
	s := &session{conn: conn, secured: secured, ic: 1}
	sap := uint8(clientPlain)
	if secured {
		sap = clientSecured
		s.cipher, err = keys.Cipher(security.Suite0)
		require.NoError(b, err)
	}
	s.framing = &wrapped{client: uint16(sap)}
	if onLine {
		s.connect(b, sap)
		s.framing = &framed{client: sap}
	}
	s.get, err = apdu.GetRequestNormal{
		InvokeID: apdu.ConfirmedInvoke(1), Attribute: energy,
	}.AppendBinary(nil)
	require.NoError(b, err)
	s.open(b)
	require.NoError(b, s.exchange())
	return s
}

// connect opens the HDLC link.
func (s *session) connect(b *testing.B, sap uint8) {
	snrm, err := hdlc.Frame{
		Destination: hdlc.Server1(1), Source: hdlc.Client(sap), Control: hdlc.Control{Kind: hdlc.SNRM, Final: true},
	}.AppendBinary(nil)
	require.NoError(b, err)
	_, err = s.conn.Write(snrm)
	require.NoError(b, err)
	ua := make([]byte, 32)
	_, err = io.ReadFull(s.conn, ua)
	require.NoError(b, err)
}

func (s *session) open(b *testing.B) {
	initiate, err := apdu.InitiateRequest{Version: apdu.DLMSVersion, Conformance: client.DefaultConformance, MaxPDU: 1024}.AppendBinary(nil)
	require.NoError(b, err)
	aarq := acse.AARQ{Context: acse.ContextLN, UserInformation: initiate}
	if s.secured {
		aarq.Context, aarq.CallingAPTitle = acse.ContextLNCiphered, clientTitle[:]
		aarq.UserInformation, err = s.cipher.AppendService(nil, byte(apdu.TagGloInitiateRequest), clientTitle, protectBoth, s.ic, initiate)
		require.NoError(b, err)
		s.ic++
	}
	request, err := aarq.AppendBinary(nil)
	require.NoError(b, err)
	out, err := s.framing.append(nil, request)
	require.NoError(b, err)
	_, err = s.conn.Write(out)
	require.NoError(b, err)
	reply, err := s.framing.read(s.conn)
	require.NoError(b, err)
	aare, _, err := acse.ParseAARE(reply)
	require.NoError(b, err)
	require.NoError(b, aare.Err())
}

var errReply = errors.New("not the reply to a GET")

// exchange does one GET and looks at the answer.
func (s *session) exchange() error {
	request := s.get
	var err error
	if s.secured {
		s.apdu, err = s.cipher.AppendService(s.apdu[:0], byte(apdu.TagGloGetRequest), clientTitle, protectBoth, s.ic, s.get)
		if err != nil {
			return err
		}
		s.ic++
		request = s.apdu
	}
	if s.out, err = s.framing.append(s.out[:0], request); err != nil {
		return err
	}
	if _, err := s.conn.Write(s.out); err != nil {
		return err
	}
	reply, err := s.framing.read(s.conn)
	if err != nil {
		return err
	}
	if s.secured {
		if len(reply) < 2 || reply[0] != byte(apdu.TagGloGetResponse) {
			return fmt.Errorf("%w: % X", errReply, reply)
		}
		if _, s.plain, err = s.cipher.Open(s.plain[:0], meterTitle, reply[2:]); err != nil {
			return err
		}
		reply = s.plain
	}
	if len(reply) < len(getResponse)+1 || string(reply[:len(getResponse)]) != string(getResponse) {
		return fmt.Errorf("%w: % X", errReply, reply)
	}
	return nil
}

// sizes are those of request and reply on the wire.
func (s *session) sizes() (request, reply int) {
	request = len(s.out)
	overhead := wrapper.Size
	if _, onLine := s.framing.(*framed); onLine {
		overhead = 14 // flags 2, format 2, addresses 2, control 1, HCS 2, LLC 3, FCS 2
	}
	reply = overhead + 9
	if s.secured {
		reply += 2 + security.HeaderSize + security.TagSize
	}
	return request, reply
}

// echo is the same exchange without any meaning.
type echo struct {
	conn    net.Conn
	out, in []byte
}

func dialEcho(b *testing.B, address string, request, reply int) *echo {
	b.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(b, err)
	b.Cleanup(func() { _ = conn.Close() })
	return &echo{conn: conn, out: make([]byte, request), in: make([]byte, reply)}
}

func (e *echo) exchange() error {
	if _, err := e.conn.Write(e.out); err != nil {
		return err
	}
	_, err := io.ReadFull(e.conn, e.in)
	return err
}
