package client

import (
	"context"
	"fmt"

	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// Action calls a method. data is its encoded parameter, nil for none; the answer is the encoded return value, nil if
// there is none.
func (c *Client) Action(ctx context.Context, m cosem.Method, data []byte) ([]byte, error) {
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	defer c.end()
	return c.action(ctx, m, data)
}

// ActionAxdr calls a method with a value.
func (c *Client) ActionAxdr(ctx context.Context, m cosem.Method, v axdr.Value) ([]byte, error) {
	data, err := v.AppendBinary(nil)
	if err != nil {
		return nil, fmt.Errorf("client: action %v: %w", m, err)
	}
	return c.Action(ctx, m, data)
}

func (c *Client) action(ctx context.Context, m cosem.Method, data []byte) ([]byte, error) {
	id := c.nextInvoke()
	var err error
	c.plain, err = apdu.ActionRequestNormal{InvokeID: id, Method: m, Data: data}.AppendBinary(c.plain[:0])
	if err != nil {
		return nil, err
	}
	var answer []byte
	if len(c.plain) <= c.room() || c.longAsGBT(cosem.ConfBlockTransferAction) {
		answer, err = c.exchange(ctx, c.plain, apdu.TagActionResponse, id)
	} else {
		answer, err = c.actionBlocks(ctx, id, data, func(b []byte, block apdu.DataBlock) ([]byte, error) {
			return apdu.ActionRequestFirstBlock{InvokeID: id, Method: m, Block: block}.AppendBinary(b)
		})
	}
	if err != nil {
		return nil, err
	}
	switch kind, _ := apdu.KindOf(answer); kind {
	case apdu.KindActionResponseNormal:
		p, _, err := apdu.ParseActionResponseNormal(answer)
		if err != nil {
			return nil, c.malformed(err)
		}
		return returned(m, p.Response)
	case apdu.KindActionResponseBlock:
		raw, err := c.actionAnswerBlocks(ctx, answer, id)
		if err != nil {
			return nil, err
		}
		return returnedLong(m, raw)
	default:
		return nil, c.malformed(fmt.Errorf("client: action %v: answer is %v: %w", m, kind, ErrProtocol))
	}
}

// returned makes an answer of what one method call came to.
func returned(m cosem.Method, r apdu.ActionResponse) ([]byte, error) {
	if r.Result != cosem.ActionSuccess {
		return nil, &ActionError{Method: m, Result: r.Result}
	}
	if !r.Returns {
		return nil, nil
	}
	if len(r.Return.Data) == 0 {
		if r.Return.Result == cosem.Success {
			return nil, nil // Gurux servers send 01 00 for a method without return value
		}
		return nil, &ActionError{Method: m, Data: r.Return.Result}
	}
	return append([]byte(nil), r.Return.Data...), nil
}

// returnedLong reads what came in blocks. The standard cuts the Data; some servers cut the Get-Data-Result around it.
func returnedLong(m cosem.Method, raw []byte) ([]byte, error) {
	if n, err := axdr.Skip(raw); err == nil && n == len(raw) {
		return raw, nil
	}
	if len(raw) > 1 && raw[0] == 0 {
		if n, err := axdr.Skip(raw[1:]); err == nil && n == len(raw)-1 {
			return raw[1:], nil
		}
	}
	return nil, fmt.Errorf("client: action %v: the blocks together are not one value: %w", m, ErrProtocol)
}

// actionBlocks sends raw in blocks and returns the answer to the last one.
func (c *Client) actionBlocks(ctx context.Context, id apdu.InvokeID, raw []byte,
	first func([]byte, apdu.DataBlock) ([]byte, error),
) ([]byte, error) {
	if !c.conformance.Has(cosem.ConfBlockTransferAction) {
		return nil, c.tooLong("action", len(raw))
	}
	for number := uint32(1); ; number++ {
		var err error
		block := apdu.DataBlock{Number: number}
		build := first
		if number > 1 {
			build = func(b []byte, block apdu.DataBlock) ([]byte, error) {
				return apdu.ActionRequestBlock{InvokeID: id, Block: block}.AppendBinary(b)
			}
		}
		if block, raw, err = c.cut(block, raw, build); err != nil {
			return nil, err
		}
		answer, err := c.exchange(ctx, c.plain, apdu.TagActionResponse, id)
		if err != nil {
			return nil, err
		}
		kind, _ := apdu.KindOf(answer)
		if kind != apdu.KindActionResponseNextBlock {
			return answer, nil
		}
		if block.Last {
			return nil, c.malformed(fmt.Errorf("client: action: the last block was acknowledged without a result: %w", ErrProtocol))
		}
		if _, _, err := apdu.ParseActionResponseNextBlock(answer); err != nil {
			return nil, c.malformed(err)
		}
	}
}

// actionAnswerBlocks gathers a long answer whose first block is in answer.
func (c *Client) actionAnswerBlocks(ctx context.Context, answer []byte, id apdu.InvokeID) ([]byte, error) {
	var raw []byte
	for number := uint32(1); ; number++ {
		p, _, err := apdu.ParseActionResponseBlock(answer)
		if err != nil {
			return nil, c.malformed(err)
		}
		if p.Block.Number != number {
			return nil, c.malformed(fmt.Errorf("client: block %d came where block %d was due: %w", p.Block.Number, number, ErrProtocol))
		}
		if err := c.fits(len(raw) + len(p.Block.Raw)); err != nil {
			return nil, err
		}
		raw = append(raw, p.Block.Raw...)
		if p.Block.Last {
			return raw, nil
		}
		if c.plain, err = (apdu.ActionRequestNextBlock{InvokeID: id, Number: number}).AppendBinary(c.plain[:0]); err != nil {
			return nil, err
		}
		if answer, err = c.exchange(ctx, c.plain, apdu.TagActionResponse, id); err != nil {
			return nil, err
		}
	}
}

// ActionItem is one method of a list with its parameter.
type ActionItem struct {
	Method cosem.Method
	Data   []byte // nil: null-data
}

// ActionList calls several methods in one request, in blocks if it is long; one by one where the server does not take
// lists. The error beside the results is for the list as a whole, of which the server may then have done some.
func (c *Client) ActionList(ctx context.Context, items ...ActionItem) ([]Result, error) {
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	defer c.end()
	results := make([]Result, 0, len(items))
	if !c.conformance.Has(cosem.ConfMultipleReferences) {
		for _, item := range items {
			data, err := c.action(ctx, item.Method, item.Data)
			if err != nil && !isRefusal(err) {
				return nil, err
			}
			results = append(results, Result{Data: data, Err: err})
		}
		return results, nil
	}
	answers, err := c.actionList(ctx, items)
	if err != nil {
		return nil, err
	}
	if answers.Len() != len(items) {
		return nil, c.malformed(fmt.Errorf("client: action list: %d results for %d methods: %w", answers.Len(), len(items), ErrProtocol))
	}
	for i, r := range answers.All() {
		data, err := returned(items[i].Method, r)
		results = append(results, Result{Data: data, Err: err})
	}
	return results, nil
}

func (c *Client) actionList(ctx context.Context, items []ActionItem) (apdu.ActionResultList, error) {
	var none apdu.ActionResultList
	var methods apdu.MethodList
	var data apdu.DataList
	for _, item := range items {
		methods.Add(item.Method)
		if len(item.Data) == 0 {
			data.Add([]byte{byte(axdr.TagNull)})
			continue
		}
		data.Add(item.Data)
	}
	id := c.nextInvoke()
	var err error
	c.plain, err = apdu.ActionRequestList{InvokeID: id, Methods: methods, Data: data}.AppendBinary(c.plain[:0])
	if err != nil {
		return none, err
	}
	var answer []byte
	if len(c.plain) <= c.room() || c.longAsGBT(cosem.ConfBlockTransferAction) {
		answer, err = c.exchange(ctx, c.plain, apdu.TagActionResponse, id)
	} else {
		var raw []byte
		if raw, err = data.AppendBinary(nil); err != nil {
			return none, err
		}
		answer, err = c.actionBlocks(ctx, id, raw, func(b []byte, block apdu.DataBlock) ([]byte, error) {
			return apdu.ActionRequestListFirstBlock{InvokeID: id, Methods: methods, Block: block}.AppendBinary(b)
		})
	}
	if err != nil {
		return none, err
	}
	switch kind, _ := apdu.KindOf(answer); kind {
	case apdu.KindActionResponseList:
		p, _, err := apdu.ParseActionResponseList(answer)
		return p.Responses, c.malformed(err)
	case apdu.KindActionResponseBlock:
		raw, err := c.actionAnswerBlocks(ctx, answer, id)
		if err != nil {
			return none, err
		}
		answers, _, err := apdu.ParseActionResultList(raw)
		return answers, c.malformed(err)
	case apdu.KindActionResponseNormal:
		p, _, err := apdu.ParseActionResponseNormal(answer)
		if err == nil && p.Response.Result != cosem.ActionSuccess {
			return none, &ActionError{Method: items[0].Method, Result: p.Response.Result}
		}
		return none, c.malformed(fmt.Errorf("client: action list: a single answer came: %w", ErrProtocol))
	default:
		return none, c.malformed(fmt.Errorf("client: action list: answer is %v: %w", kind, ErrProtocol))
	}
}
