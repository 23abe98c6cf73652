package client

import (
	"context"
	"errors"
	"fmt"

	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// Selection is selective access: a selector and its encoded parameter. The zero Selection is the whole attribute.
type Selection = apdu.Selection

// Get reads an attribute: one encoded Data.
func (c *Client) Get(ctx context.Context, a cosem.Attribute) ([]byte, error) {
	return c.AppendGet(ctx, nil, a, Selection{})
}

// GetWith reads a part of an attribute.
func (c *Client) GetWith(ctx context.Context, a cosem.Attribute, s Selection) ([]byte, error) {
	return c.AppendGet(ctx, nil, a, s)
}

// AppendGet reads an attribute and appends its encoded Data to dst. Reading into memory that is large enough does not
// allocate.
func (c *Client) AppendGet(ctx context.Context, dst []byte, a cosem.Attribute, s Selection) ([]byte, error) {
	if err := c.begin(ctx); err != nil {
		return dst, err
	}
	defer c.end()
	out, err := c.get(ctx, dst, a, s)
	if err != nil && lostTransfer(err) {
		// The server forgot the transfer, for example because it restarted. Reading again harms nothing.
		out, err = c.get(ctx, dst, a, s)
	}
	return out, err
}

func (c *Client) get(ctx context.Context, dst []byte, a cosem.Attribute, s Selection) ([]byte, error) {
	id := c.nextInvoke()
	var err error
	if c.plain, err = (apdu.GetRequestNormal{InvokeID: id, Attribute: a, Selection: s}).AppendBinary(c.plain[:0]); err != nil {
		return dst, err
	}
	answer, err := c.exchange(ctx, c.plain, apdu.TagGetResponse, id)
	if err != nil {
		return dst, err
	}
	switch kind, _ := apdu.KindOf(answer); kind {
	case apdu.KindGetResponseNormal:
		p, _, err := apdu.ParseGetResponseNormal(answer)
		if err != nil {
			return dst, c.malformed(err)
		}
		if err := p.Result.Err(); err != nil {
			return dst, &AccessError{Op: "get", Attribute: a, Result: p.Result.Result}
		}
		return append(dst, p.Result.Data...), nil
	case apdu.KindGetResponseBlock:
		raw, result, err := c.getBlocks(ctx, answer, id, dst)
		if err != nil {
			return dst, err
		}
		if result != cosem.Success {
			return dst, &AccessError{Op: "get", Attribute: a, Result: result}
		}
		if n, err := axdr.Skip(raw[len(dst):]); err != nil || n != len(raw)-len(dst) {
			return dst, fmt.Errorf("client: get %v: the blocks together are not one value: %w", a, ErrProtocol)
		}
		return raw, nil
	default:
		return dst, c.malformed(fmt.Errorf("client: get %v: answer is %v: %w", a, kind, ErrProtocol))
	}
}

// getBlocks gathers a long answer whose first block is in answer. A result other than success comes from the server.
func (c *Client) getBlocks(ctx context.Context, answer []byte, id apdu.InvokeID, dst []byte) ([]byte, cosem.Result, error) {
	start := len(dst)
	for number := uint32(1); ; number++ {
		p, _, err := apdu.ParseGetResponseBlock(answer)
		if err != nil {
			// A server without the transfer may say so in the normal form.
			if n, _, nerr := apdu.ParseGetResponseNormal(answer); nerr == nil && n.Result.Err() != nil {
				return dst, n.Result.Result, nil
			}
			return dst, 0, c.malformed(err)
		}
		if p.Result != cosem.Success {
			return dst, p.Result, nil
		}
		if p.Number != number {
			return dst, 0, c.malformed(fmt.Errorf("client: block %d came where block %d was due: %w", p.Number, number, ErrProtocol))
		}
		if err := c.fits(len(dst) - start + len(p.Raw)); err != nil {
			return dst, 0, err
		}
		dst = append(dst, p.Raw...)
		if p.Last {
			return dst, cosem.Success, nil
		}
		if c.plain, err = (apdu.GetRequestNext{InvokeID: id, Number: number}).AppendBinary(c.plain[:0]); err != nil {
			return dst, 0, err
		}
		if answer, err = c.exchange(ctx, c.plain, apdu.TagGetResponse, id); err != nil {
			return dst, 0, err
		}
	}
}

// fits refuses answers that grow beyond Config.MaxData.
func (c *Client) fits(n int) error {
	if n > c.cfg.MaxData {
		return c.malformed(fmt.Errorf("client: answer grows beyond %d bytes (Config.MaxData): %w", c.cfg.MaxData, ErrProtocol))
	}
	return nil
}

// GetItem is one attribute of a list.
type GetItem struct {
	Attribute cosem.Attribute
	Selection Selection
}

// Result is what became of one item of a list: Data, or an error, an *AccessError or *ActionError. An action that
// succeeds and returns nothing has neither.
type Result struct {
	Data []byte
	Err  error
}

// GetList reads several attributes, in as few requests as their length allows; one by one where the server does not
// take lists. The error is for the list as a whole.
func (c *Client) GetList(ctx context.Context, items ...GetItem) ([]Result, error) {
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	defer c.end()
	results := make([]Result, 0, len(items))
	if !c.conformance.Has(cosem.ConfMultipleReferences) {
		for _, item := range items {
			data, err := c.get(ctx, nil, item.Attribute, item.Selection)
			if err != nil && !isRefusal(err) {
				return nil, err
			}
			results = append(results, Result{Data: data, Err: err})
		}
		return results, nil
	}
	for len(items) > 0 {
		n, err := c.getList(ctx, items, &results)
		if err != nil {
			return nil, err
		}
		items = items[n:]
	}
	return results, nil
}

// getList reads as many of the items as fit into one request.
func (c *Client) getList(ctx context.Context, items []GetItem, results *[]Result) (n int, err error) {
	const head = 3 + 3 // tag, form, invoke-id; count
	var list apdu.AttributeList
	room := c.room() - head
	for _, item := range items {
		size := cosem.DescriptorSize + 1
		if !item.Selection.IsZero() {
			size += 1 + len(item.Selection.Data)
		}
		if n > 0 && size > room {
			break
		}
		room -= size
		list.Add(item.Attribute, item.Selection)
		n++
	}
	id := c.nextInvoke()
	if c.plain, err = (apdu.GetRequestList{InvokeID: id, Attributes: list}).AppendBinary(c.plain[:0]); err != nil {
		return 0, err
	}
	answer, err := c.exchange(ctx, c.plain, apdu.TagGetResponse, id)
	if err != nil {
		return 0, err
	}
	var got apdu.GetResultList
	switch kind, _ := apdu.KindOf(answer); kind {
	case apdu.KindGetResponseList:
		p, _, err := apdu.ParseGetResponseList(answer)
		if err != nil {
			return 0, c.malformed(err)
		}
		got = p.Results
	case apdu.KindGetResponseBlock:
		raw, result, err := c.getBlocks(ctx, answer, id, nil)
		if err != nil {
			return 0, err
		}
		if result != cosem.Success {
			return 0, &AccessError{Op: "get", Attribute: items[0].Attribute, Result: result}
		}
		if got, _, err = apdu.ParseGetResultList(raw); err != nil {
			return 0, c.malformed(err)
		}
	case apdu.KindGetResponseNormal:
		// Some servers refuse a list as a whole this way.
		p, _, err := apdu.ParseGetResponseNormal(answer)
		if err == nil && p.Result.Err() != nil {
			return 0, &AccessError{Op: "get", Attribute: items[0].Attribute, Result: p.Result.Result}
		}
		return 0, c.malformed(fmt.Errorf("client: get list: a single answer came: %w", ErrProtocol))
	default:
		return 0, c.malformed(fmt.Errorf("client: get list: answer is %v: %w", kind, ErrProtocol))
	}
	if got.Len() != n {
		return 0, c.malformed(fmt.Errorf("client: get list: %d results for %d attributes: %w", got.Len(), n, ErrProtocol))
	}
	for i, r := range got.All() {
		if r.Err() != nil {
			*results = append(*results, Result{Err: &AccessError{Op: "get", Attribute: items[i].Attribute, Result: r.Result}})
			continue
		}
		*results = append(*results, Result{Data: append([]byte(nil), r.Data...)})
	}
	return n, nil
}

// isRefusal tells an answer about one item from a failure of the exchange.
func isRefusal(err error) bool {
	var access *AccessError
	var action *ActionError
	return errors.As(err, &access) || errors.As(err, &action)
}
