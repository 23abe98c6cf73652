package client

import (
	"context"
	"fmt"

	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// Set writes an attribute; data is one encoded Data.
func (c *Client) Set(ctx context.Context, a cosem.Attribute, data []byte) error {
	return c.SetWith(ctx, a, Selection{}, data)
}

// SetAxdr encodes a value and writes it.
func (c *Client) SetAxdr(ctx context.Context, a cosem.Attribute, v axdr.Value) error {
	data, err := v.AppendBinary(nil)
	if err != nil {
		return fmt.Errorf("client: set %v: %w", a, err)
	}
	return c.Set(ctx, a, data)
}

// SetWith writes a part of an attribute.
func (c *Client) SetWith(ctx context.Context, a cosem.Attribute, s Selection, data []byte) error {
	if err := c.begin(ctx); err != nil {
		return err
	}
	defer c.end()
	return c.set(ctx, a, s, data)
}

func (c *Client) set(ctx context.Context, a cosem.Attribute, s Selection, data []byte) error {
	id := c.nextInvoke()
	var err error
	c.plain, err = apdu.SetRequestNormal{InvokeID: id, Attribute: a, Selection: s, Data: data}.AppendBinary(c.plain[:0])
	if err != nil {
		return err
	}
	var results []cosem.Result
	if len(c.plain) <= c.room() || c.longAsGBT(cosem.ConfBlockTransferSet) {
		results, err = c.sendSet(ctx, id)
	} else {
		results, err = c.setBlocks(ctx, id, data, func(b []byte, block apdu.DataBlock) ([]byte, error) {
			return apdu.SetRequestFirstBlock{InvokeID: id, Attribute: a, Selection: s, Block: block}.AppendBinary(b)
		})
	}
	if err != nil {
		return err
	}
	if len(results) != 1 {
		return c.malformed(fmt.Errorf("client: set %v: %d results: %w", a, len(results), ErrProtocol))
	}
	if results[0] != cosem.Success {
		return &AccessError{Op: "set", Attribute: a, Result: results[0]}
	}
	return nil
}

// sendSet sends the request in c.plain and reads the results out of the answer. A block that is acknowledged, not
// finished, has no results.
func (c *Client) sendSet(ctx context.Context, id apdu.InvokeID) ([]cosem.Result, error) {
	answer, err := c.exchange(ctx, c.plain, apdu.TagSetResponse, id)
	if err != nil {
		return nil, err
	}
	switch kind, _ := apdu.KindOf(answer); kind {
	case apdu.KindSetResponseNormal:
		p, _, err := apdu.ParseSetResponseNormal(answer)
		return []cosem.Result{p.Result}, c.malformed(err)
	case apdu.KindSetResponseBlock:
		_, _, err := apdu.ParseSetResponseBlock(answer)
		return nil, c.malformed(err)
	case apdu.KindSetResponseLastBlock:
		p, _, err := apdu.ParseSetResponseLastBlock(answer)
		return []cosem.Result{p.Result}, c.malformed(err)
	case apdu.KindSetResponseLastBlockList:
		p, _, err := apdu.ParseSetResponseLastBlockList(answer)
		return collect(p.Results), c.malformed(err)
	case apdu.KindSetResponseList:
		p, _, err := apdu.ParseSetResponseList(answer)
		return collect(p.Results), c.malformed(err)
	default:
		return nil, c.malformed(fmt.Errorf("client: set: answer is %v: %w", kind, ErrProtocol))
	}
}

func collect(l apdu.ResultList) []cosem.Result {
	results := make([]cosem.Result, 0, l.Len())
	for _, r := range l.All() {
		results = append(results, r)
	}
	return results
}

// setBlocks sends raw in blocks; first builds the request that carries the first one.
func (c *Client) setBlocks(ctx context.Context, id apdu.InvokeID, raw []byte,
	first func([]byte, apdu.DataBlock) ([]byte, error),
) ([]cosem.Result, error) {
	if !c.conformance.Has(cosem.ConfBlockTransferSet) {
		return nil, c.tooLong("set", len(raw))
	}
	for number := uint32(1); ; number++ {
		var err error
		block := apdu.DataBlock{Number: number}
		build := first
		if number > 1 {
			build = func(b []byte, block apdu.DataBlock) ([]byte, error) {
				return apdu.SetRequestBlock{InvokeID: id, Block: block}.AppendBinary(b)
			}
		}
		if block, raw, err = c.cut(block, raw, build); err != nil {
			return nil, err
		}
		results, err := c.sendSet(ctx, id)
		if err != nil || results != nil {
			return results, err
		}
		if block.Last {
			return nil, c.malformed(fmt.Errorf("client: set: the last block was acknowledged without a result: %w", ErrProtocol))
		}
	}
}

// cut puts into c.plain the request that build makes of the next block of raw, and returns what is left.
func (c *Client) cut(block apdu.DataBlock, raw []byte, build func([]byte, apdu.DataBlock) ([]byte, error)) (apdu.DataBlock, []byte, error) {
	empty, err := build(c.plain[:0], block)
	if err != nil {
		return block, raw, err
	}
	n := c.room() - (len(empty) - 1) - 3 // the length of nothing takes one byte, that of a block up to three
	if n < 1 {
		return block, raw, c.tooLong("block", len(raw))
	}
	n = min(n, len(raw))
	block.Raw, block.Last = raw[:n], n == len(raw)
	c.plain, err = build(empty[:0], block)
	return block, raw[n:], err
}

// SetItem is one attribute of a list with its value.
type SetItem struct {
	Attribute cosem.Attribute
	Selection Selection
	Data      []byte
}

// SetList writes several attributes in one request, in blocks if it is long; one by one where the server does not take
// lists. There is one error for each item, nil or an *AccessError; the error beside them is for the list as a whole,
// of which the server may then have written some.
func (c *Client) SetList(ctx context.Context, items ...SetItem) ([]error, error) {
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	defer c.end()
	failures := make([]error, len(items))
	if !c.conformance.Has(cosem.ConfMultipleReferences) {
		for i, item := range items {
			err := c.set(ctx, item.Attribute, item.Selection, item.Data)
			if err != nil && !isRefusal(err) {
				return nil, err
			}
			failures[i] = err
		}
		return failures, nil
	}
	var attributes apdu.AttributeList
	var data apdu.DataList
	for _, item := range items {
		attributes.Add(item.Attribute, item.Selection)
		data.Add(item.Data)
	}
	id := c.nextInvoke()
	var err error
	c.plain, err = apdu.SetRequestList{InvokeID: id, Attributes: attributes, Data: data}.AppendBinary(c.plain[:0])
	if err != nil {
		return nil, err
	}
	var results []cosem.Result
	if len(c.plain) <= c.room() || c.longAsGBT(cosem.ConfBlockTransferSet) {
		results, err = c.sendSet(ctx, id)
	} else {
		var raw []byte
		if raw, err = data.AppendBinary(nil); err != nil {
			return nil, err
		}
		results, err = c.setBlocks(ctx, id, raw, func(b []byte, block apdu.DataBlock) ([]byte, error) {
			return apdu.SetRequestListFirstBlock{InvokeID: id, Attributes: attributes, Block: block}.AppendBinary(b)
		})
	}
	if err != nil {
		return nil, err
	}
	if len(results) != len(items) {
		return nil, c.malformed(fmt.Errorf("client: set list: %d results for %d attributes: %w", len(results), len(items), ErrProtocol))
	}
	for i, r := range results {
		if r != cosem.Success {
			failures[i] = &AccessError{Op: "set", Attribute: items[i].Attribute, Result: r}
		}
	}
	return failures, nil
}
