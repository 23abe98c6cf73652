package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"smets1/dlms/apdu"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// maxStale is how many APDUs that do not answer the request may come before the answer.
const maxStale = 16

// begin takes the association for one operation.
func (c *Client) begin(ctx context.Context) error {
	select {
	case <-c.turn:
	case <-ctx.Done():
		return cause(ctx)
	}
	if err := c.Err(); err != nil {
		c.end()
		return err
	}
	return nil
}

func (c *Client) end() { c.turn <- struct{}{} }

// lose ends the association: what is on the wire can no longer be told apart.
func (c *Client) lose(err error) error {
	lost := error(&lostError{err})
	c.lost.CompareAndSwap(nil, &lost)
	return err
}

// lostError keeps the reason and says what to do.
type lostError struct{ err error }

func (e *lostError) Error() string   { return fmt.Sprintf("client: %v: %v", ErrLost, e.err) }
func (e *lostError) Unwrap() []error { return []error{ErrLost, e.err} }

// malformed ends the association over an answer that makes no sense; nil is no error.
func (c *Client) malformed(err error) error {
	if err == nil {
		return nil
	}
	return c.lose(err)
}

func (c *Client) nextInvoke() apdu.InvokeID {
	c.invoke++
	return apdu.ConfirmedInvoke(c.invoke)
}

// overhead is what ciphering adds to an APDU: tag, system title with its length, length, SC, IC, authentication tag.
func (c *Client) overhead() int {
	if !c.cfg.ciphered() {
		return 0
	}
	n := c.generalOverhead()
	if c.cfg.Wrapping != WrapCiphering {
		n += 1 + 3 + security.HeaderSize + security.TagSize
	}
	if c.cfg.Wrapping == WrapGeneral {
		n += 1 + len(security.SystemTitle{})
	}
	return n
}

// room is how long a request may be before ciphering.
func (c *Client) room() int {
	if c.serverPDU == 0 {
		return 0xFFFF - c.overhead()
	}
	return int(c.serverPDU) - c.overhead()
}

func (c *Client) tooLong(op string, n int) error {
	return fmt.Errorf("client: %s with %d bytes, server's PDU size %d: %w", op, n, c.serverPDU, ErrTooLong)
}

// longAsGBT tells whether a request longer than a PDU goes by general block transfer: where the service's own block
// transfer was not negotiated.
func (c *Client) longAsGBT(own cosem.Conformance) bool {
	return !c.conformance.Has(own) && c.conformance.Has(cosem.ConfGeneralBlockTransfer)
}

// exchange sends one request in the clear and returns its answer in the clear, valid until the next exchange. The answer
// has the tag want and the invoke-id of the request; exceptions and service errors become errors, notifications go to
// Config.Notify, and whatever else arrives is an answer that came too late for its request, and is passed over.
func (c *Client) exchange(ctx context.Context, request []byte, want apdu.Tag, id apdu.InvokeID) ([]byte, error) {
	return c.exchangeNumbered(ctx, request, want, uint32(id.ID()))
}

// numberOf is the invoke-id in an answer.
func numberOf(tag apdu.Tag, plain []byte) (uint32, bool) {
	switch {
	case tag == apdu.TagAccessResponse && len(plain) > 4:
		return apdu.LongInvokeID(binary.BigEndian.Uint32(plain[1:])).ID(), true
	case tag != apdu.TagAccessResponse && len(plain) > 2:
		return uint32(apdu.InvokeID(plain[2]).ID()), true
	}
	return 0, false
}

// exchangeNumbered is exchange for services whose invoke-ids have any length.
func (c *Client) exchangeNumbered(ctx context.Context, request []byte, want apdu.Tag, id uint32) ([]byte, error) {
	out, err := c.protect(ctx, request)
	if err != nil {
		return nil, err
	}
	answer, err := c.roundTrip(ctx, out)
	other := int64(-1) // the invoke-id of an answer that was passed over
	for range maxStale {
		if err != nil {
			if other >= 0 && errors.Is(err, os.ErrDeadlineExceeded) {
				err = fmt.Errorf("client: an answer came with invoke-id %d instead of %d (if the server does not echo it, set Config.AnyInvokeID): %w", other, id, err)
			}
			return nil, c.lose(err)
		}
		plain, kept, uerr := c.unprotect(answer)
		if uerr != nil {
			return nil, uerr
		}
		switch tag := apdu.Tag(plain[0]); {
		case tag == apdu.TagException:
			return nil, c.exception(plain) // in the clear, whatever the association
		case tag == apdu.TagConfirmedServiceError:
			return nil, c.serviceError(plain)
		case !kept:
			if tag == want {
				return nil, c.lose(fmt.Errorf("client: %v in the clear: %w", tag, ErrUnprotected))
			}
		case tag == want:
			if got, ok := numberOf(tag, plain); ok {
				if got == id || c.cfg.AnyInvokeID {
					return plain, nil
				}
				other = int64(got)
			}
		case tag == apdu.TagDataNotification || tag == apdu.TagEventNotification:
			if c.cfg.Notify != nil {
				c.cfg.Notify(plain)
			}
		}
		answer, err = c.receive(ctx)
	}
	return nil, c.lose(fmt.Errorf("client: %d APDUs came, none of them the answer (%v, invoke-id %d): %w", maxStale, want, id, ErrProtocol))
}

// roundTrip sends an APDU as it goes on the link and returns the next one, put together from general blocks if need be.
func (c *Client) roundTrip(ctx context.Context, out []byte) ([]byte, error) {
	if c.serverPDU != 0 && len(out) > int(c.serverPDU) && c.conformance.Has(cosem.ConfGeneralBlockTransfer) {
		return c.sendGeneralBlocks(ctx, out)
	}
	answer, err := c.once(ctx, out)
	if err != nil {
		return nil, err
	}
	return c.generalBlocks(ctx, answer)
}

// receive waits for the next APDU without asking for it.
func (c *Client) receive(ctx context.Context) ([]byte, error) {
	answer, err := c.listen(ctx)
	if err != nil {
		return nil, err
	}
	return c.generalBlocks(ctx, answer)
}

// once is one round trip on the link under Config.Timeout.
func (c *Client) once(ctx context.Context, out []byte) ([]byte, error) {
	alarm := c.setAlarm()
	defer c.alarm.Stop()
	answer, err := sendBy(ctx, alarm, c.link, out)
	return nonEmpty(answer, err)
}

// listen waits for one APDU on the link under Config.Timeout.
func (c *Client) listen(ctx context.Context) ([]byte, error) {
	alarm := c.setAlarm()
	defer c.alarm.Stop()
	answer, err := listenBy(ctx, alarm, c.link)
	return nonEmpty(answer, err)
}

// setAlarm starts the timeout of a request. One timer serves all requests.
func (c *Client) setAlarm() <-chan time.Time {
	if c.alarm == nil {
		c.alarm = c.cfg.Clock.NewTimer(c.cfg.Timeout)
	} else {
		c.alarm.Reset(c.cfg.Timeout)
	}
	return c.alarm.C()
}

func nonEmpty(answer []byte, err error) ([]byte, error) {
	if err == nil && len(answer) == 0 {
		err = fmt.Errorf("client: an empty answer: %w", ErrProtocol)
	}
	return answer, err
}

// generalBlocks puts an answer together that comes by general block transfer; any other is returned as it is. Our window
// is 1, so every block is acknowledged, one marked as streaming too: Gurux servers mark all but the first so, and wait
// nevertheless. A block that is missing is asked for again.
func (c *Client) generalBlocks(ctx context.Context, answer []byte) ([]byte, error) {
	if apdu.Tag(answer[0]) != apdu.TagGeneralBlockTransfer {
		return answer, nil
	}
	c.whole = c.whole[:0]
	own := c.gbt // our own block numbers go on from those that carried the request
	c.gbt = 0
	var last uint16
	for first, retries := true, 0; ; first = false {
		block, _, err := apdu.ParseGeneralBlockTransfer(answer)
		if err != nil {
			return nil, err
		}
		if first && own > 0 {
			last = block.Block - 1 // the server's acknowledgements took the numbers before
		}
		inOrder := block.Block == last+1
		if inOrder {
			if len(c.whole)+len(block.Raw) > c.cfg.MaxData {
				return nil, fmt.Errorf("client: answer grows beyond %d bytes (Config.MaxData): %w", c.cfg.MaxData, ErrProtocol)
			}
			c.whole = append(c.whole, block.Raw...)
			last = block.Block
			if block.Last {
				return nonEmpty(c.whole, nil)
			}
		} else if retries++; retries > maxStale {
			return nil, fmt.Errorf("client: general block %d does not come, %d came again and again: %w", last+1, block.Block, ErrProtocol)
		}
		own++
		if answer, err = c.sendBlock(ctx, apdu.GeneralBlockTransfer{Last: true, Window: 1, Block: own, Ack: last}); err != nil {
			return nil, err
		}
		if apdu.Tag(answer[0]) != apdu.TagGeneralBlockTransfer {
			return nil, fmt.Errorf("client: %v came in the middle of a general block transfer: %w", apdu.Tag(answer[0]), ErrProtocol)
		}
	}
}

func (c *Client) sendBlock(ctx context.Context, block apdu.GeneralBlockTransfer) ([]byte, error) {
	var err error
	if c.blockOut, err = block.AppendBinary(c.blockOut[:0]); err != nil {
		return nil, err
	}
	return c.once(ctx, c.blockOut)
}

// sendGeneralBlocks sends a long request by general block transfer, one block at a time, and returns the answer.
func (c *Client) sendGeneralBlocks(ctx context.Context, out []byte) ([]byte, error) {
	const head = 1 + 1 + 2 + 2 + 3
	size := int(c.serverPDU) - head
	if size < 1 {
		return nil, c.tooLong("request", len(out))
	}
	blocks := (len(out) + size - 1) / size
	if blocks > 0xFFFF {
		return nil, c.tooLong("request", len(out))
	}
	var answer []byte
	for number, tries := 1, 0; number <= blocks; tries++ {
		from := (number - 1) * size
		block := apdu.GeneralBlockTransfer{
			Last: number == blocks, Window: 1, Block: uint16(number), Raw: out[from:min(from+size, len(out))],
		}
		var err error
		if answer, err = c.sendBlock(ctx, block); err != nil {
			return nil, err
		}
		ack, _, err := apdu.ParseGeneralBlockTransfer(answer)
		if err != nil || len(ack.Raw) > 0 {
			break // not an acknowledgement: the answer, or an exception
		}
		number = int(ack.Ack) + 1
		if number > int(block.Block)+1 || tries > blocks+maxStale {
			return nil, fmt.Errorf("client: general block %d acknowledged after block %d: %w", ack.Ack, block.Block, ErrProtocol)
		}
	}
	c.gbt = uint16(blocks)
	return c.generalBlocks(ctx, answer)
}

// protect ciphers a request as the association demands. The result is valid until the next call.
func (c *Client) protect(ctx context.Context, request []byte) ([]byte, error) {
	switch {
	case !c.cfg.ciphered():
		return request, nil
	case c.general():
		return c.protectGeneral(ctx, request)
	}
	return c.protectSpecific(ctx, request)
}

// nextCounter takes the next invocation counter of the GUEK.
func (c *Client) nextCounter(ctx context.Context) (uint32, error) {
	ic, err := c.cfg.Counter.Next(ctx)
	if err != nil {
		return 0, fmt.Errorf("client: no invocation counter: %w", err)
	}
	c.sent.Store(ic)
	return ic, nil
}

// protectSpecific ciphers a request under the global or the dedicated key.
func (c *Client) protectSpecific(ctx context.Context, request []byte) ([]byte, error) {
	tag := apdu.Tag(request[0])
	sc := security.NewControl(c.cfg.Suite, c.cfg.Protection)
	cipher, general := c.cipher, apdu.TagGeneralGlo
	service, ok := tag.Glo()
	var ic uint32
	var err error
	if c.dedicated != nil {
		cipher, general = c.dedicated, apdu.TagGeneralDed
		service, ok = tag.Ded()
		if ic, err = c.dedicatedCounter.Next(); err == nil {
			c.sent.Store(ic)
		} else {
			err = fmt.Errorf("client: no invocation counter: %w", err)
		}
	} else {
		ic, err = c.nextCounter(ctx)
	}
	if err != nil {
		return nil, err
	}
	if c.cfg.Wrapping == WrapGeneral || !ok {
		c.out, err = cipher.AppendGeneral(c.out[:0], byte(general), c.cfg.SystemTitle, sc, ic, request)
	} else {
		c.out, err = cipher.AppendService(c.out[:0], byte(service), c.cfg.SystemTitle, sc, ic, request)
	}
	return c.out, err
}

// unprotect deciphers an answer. kept tells that it was protected as well as the association demands.
func (c *Client) unprotect(answer []byte) (plain []byte, kept bool, err error) {
	return c.unprotectAs(answer, c.cfg.Protection)
}

// unprotectAs deciphers an answer that needs some protection.
func (c *Client) unprotectAs(answer []byte, need security.Protection) (plain []byte, kept bool, err error) {
	tag := apdu.Tag(answer[0])
	if tag == apdu.TagGeneralSigning {
		var fresh bool
		if answer, fresh, err = c.verify(answer); err != nil {
			return nil, false, err
		}
		if tag = apdu.Tag(answer[0]); fresh || tag.IsCiphered() {
			need &^= security.ProtectSign
		}
	}
	if !tag.IsCiphered() {
		return answer, need == 0, nil
	}
	if need&security.ProtectSign != 0 {
		return nil, false, c.lose(fmt.Errorf("client: %v without a signature: %w", tag, ErrUnprotected))
	}
	if c.cipher == nil {
		return nil, false, c.lose(fmt.Errorf("client: %v in an association without keys: %w", tag, ErrProtocol))
	}
	var content []byte
	title := c.serverTitle
	ded := tag.IsDed()
	switch tag {
	case apdu.TagGeneralGlo:
		p, _, err := apdu.ParseGeneralGlo(answer)
		if err != nil {
			return nil, false, c.lose(err)
		}
		if err := c.sameTitle(p.SystemTitle); err != nil {
			return nil, false, err
		}
		content = p.Content
	case apdu.TagGeneralDed:
		p, _, err := apdu.ParseGeneralDed(answer)
		if err != nil {
			return nil, false, c.lose(err)
		}
		if err := c.sameTitle(p.SystemTitle); err != nil {
			return nil, false, err
		}
		content, ded = p.Content, true
	case apdu.TagGeneralCiphering:
		plain, err := c.openGeneral(answer, need)
		return plain, err == nil, err
	default:
		p, _, err := apdu.ParseCiphered(answer)
		if err != nil {
			return nil, false, c.lose(err)
		}
		content = p.Content
	}
	cipher, counter := c.cipher, c.cfg.ServerCounter
	if ded {
		cipher, counter = c.dedicated, &c.dedicatedServer
		if cipher == nil {
			return nil, false, c.lose(fmt.Errorf("client: %v without a dedicated key: %w", tag, ErrProtocol))
		}
	}
	if plain, err = c.decipher(cipher, counter, title, content, tag, need); err != nil {
		return nil, false, err
	}
	return plain, true, nil
}

// sameTitle checks the title in a general- APDU. Some servers leave it out, which is allowed once it is known.
func (c *Client) sameTitle(title []byte) error {
	if len(title) > 0 && string(title) != string(c.serverTitle[:]) {
		return c.lose(fmt.Errorf("client: answer from system title %X, the association is with %v: %w", title, c.serverTitle, ErrProtocol))
	}
	return nil
}

// decipher opens content of the server and checks its counter. Authentication is not optional where we authenticate.
func (c *Client) decipher(cipher *security.Cipher, counter *security.ReceiveCounter, title security.SystemTitle, content []byte, tag apdu.Tag, need security.Protection) ([]byte, error) {
	head, err := security.ParseContent(content)
	if err != nil {
		return nil, c.lose(fmt.Errorf("client: %v: %w", tag, err))
	}
	if missing := need &^ head.Control.Protection(); missing&security.ProtectAuth != 0 {
		return nil, c.lose(fmt.Errorf("client: %v with control byte %v: %w", tag, head.Control, ErrUnprotected))
	}
	c.in = slices.Grow(c.in[:0], len(content))
	_, plain, err := cipher.Open(c.in[:0], title, content)
	if err != nil {
		if errors.Is(err, security.ErrDecipher) {
			err = fmt.Errorf("%w: the GUEK or GAK is not the server's, or its system title is not %v", err, title)
		}
		return nil, c.lose(fmt.Errorf("client: %v: %w", tag, err))
	}
	c.in = plain
	if err := counter.Accept(head.Counter); err != nil {
		return nil, c.lose(fmt.Errorf("client: %v from the server: %w", tag, err))
	}
	if len(plain) == 0 {
		return nil, c.lose(fmt.Errorf("client: %v with nothing in it: %w", tag, ErrProtocol))
	}
	return plain, nil
}
