package client

import (
	"context"
	"errors"
	"fmt"

	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// AccessItem is one part of an ACCESS request: see [Reading], [Writing] and [Calling].
type AccessItem struct {
	spec apdu.AccessSpec
	data []byte
}

// Reading reads an attribute or a part of it.
func Reading(a cosem.Attribute, s Selection) AccessItem {
	kind := apdu.AccessGet
	if !s.IsZero() {
		kind = apdu.AccessGetWithSelected
	}
	return AccessItem{spec: apdu.AccessSpec{Kind: kind, Attribute: a, Selection: s}}
}

// Writing writes one encoded Data to an attribute or a part of it.
func Writing(a cosem.Attribute, s Selection, data []byte) AccessItem {
	kind := apdu.AccessSet
	if !s.IsZero() {
		kind = apdu.AccessSetWithSelected
	}
	return AccessItem{spec: apdu.AccessSpec{Kind: kind, Attribute: a, Selection: s}, data: data}
}

// Calling calls a method; nil data is no parameter.
func Calling(m cosem.Method, data []byte) AccessItem {
	return AccessItem{spec: apdu.AccessSpec{Kind: apdu.AccessAction, Method: m}, data: data}
}

// ErrNotTried is the error of a part of an ACCESS request that was not tried because one before it failed.
var ErrNotTried = errors.New("not tried: a part before it failed")

// Access reads, writes and calls in one request, in the order of the items, and one by one where the server has no
// ACCESS service. With stop, the parts after the first that fails are not tried: by the server's own word they answer
// other-reason, one by one they are ErrNotTried. The error beside the results is for the request as a whole, of which the
// server may then have done some.
func (c *Client) Access(ctx context.Context, stop bool, items ...AccessItem) ([]Result, error) {
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	defer c.end()
	if !c.conformance.Has(cosem.ConfAccess) {
		return c.oneByOne(ctx, stop, items)
	}
	request := apdu.AccessRequest{InvokeID: apdu.LongInvokeID(c.nextInvoke().ID()) | apdu.LongInvokeConfirmed}
	if stop {
		request.InvokeID |= apdu.LongInvokeBreakOnError
	}
	for _, item := range items {
		if err := request.Specs.Add(item.spec); err != nil {
			return nil, fmt.Errorf("client: access: %w", err)
		}
		data := item.data
		if len(data) == 0 {
			data = axdr.AppendNull(nil)
		}
		request.Data.Add(data)
	}
	var err error
	if c.plain, err = request.AppendBinary(c.plain[:0]); err != nil {
		return nil, fmt.Errorf("client: access: %w", err)
	}
	if len(c.plain) > c.room() && !c.conformance.Has(cosem.ConfGeneralBlockTransfer) {
		return nil, c.tooLong("access", len(c.plain))
	}
	answer, err := c.exchangeNumbered(ctx, c.plain, apdu.TagAccessResponse, request.InvokeID.ID())
	if err != nil {
		return nil, err
	}
	p, _, err := apdu.ParseAccessResponse(answer)
	if err != nil {
		return nil, c.malformed(err)
	}
	if p.Results.Len() != len(items) {
		return nil, c.malformed(fmt.Errorf("client: access: %d results for %d parts: %w", p.Results.Len(), len(items), ErrProtocol))
	}
	results := make([]Result, len(items))
	for i, data := range p.Data.All() {
		results[i].Data = data
	}
	for i, r := range p.Results.All() {
		if results[i] = items[i].outcome(results[i].Data, r); errors.Is(results[i].Err, ErrProtocol) {
			return nil, c.malformed(results[i].Err)
		}
	}
	return results, nil
}

// outcome is what one part came to. The answer's slices alias the exchange's memory.
func (i AccessItem) outcome(data []byte, r apdu.AccessResult) Result {
	want, op := apdu.AccessGet, "get"
	switch i.spec.Kind {
	case apdu.AccessSet, apdu.AccessSetWithSelected:
		want, op = apdu.AccessSet, "set"
	case apdu.AccessAction:
		want, op = apdu.AccessAction, "action"
	}
	switch {
	case r.Kind != want:
		return Result{Err: fmt.Errorf("client: access: a result of kind %d for %s: %w", r.Kind, op, ErrProtocol)}
	case r.Code != 0 && want == apdu.AccessAction:
		return Result{Err: &ActionError{Method: i.spec.Method, Result: cosem.ActionResult(r.Code)}}
	case r.Code != 0:
		return Result{Err: &AccessError{Op: op, Attribute: i.spec.Attribute, Result: cosem.Result(r.Code)}}
	case want == apdu.AccessSet, want == apdu.AccessAction && len(data) == 1 && axdr.Tag(data[0]) == axdr.TagNull:
		return Result{}
	}
	return Result{Data: append([]byte(nil), data...)}
}

// oneByOne does the parts by GET, SET and ACTION.
func (c *Client) oneByOne(ctx context.Context, stop bool, items []AccessItem) ([]Result, error) {
	results := make([]Result, 0, len(items))
	failed := false
	for _, item := range items {
		if failed && stop {
			results = append(results, Result{Err: ErrNotTried})
			continue
		}
		var r Result
		switch item.spec.Kind {
		case apdu.AccessGet, apdu.AccessGetWithSelected:
			r.Data, r.Err = c.get(ctx, nil, item.spec.Attribute, item.spec.Selection)
		case apdu.AccessSet, apdu.AccessSetWithSelected:
			r.Err = c.set(ctx, item.spec.Attribute, item.spec.Selection, item.data)
		default:
			r.Data, r.Err = c.action(ctx, item.spec.Method, item.data)
		}
		if r.Err != nil && !isRefusal(r.Err) {
			return nil, r.Err
		}
		failed = failed || r.Err != nil
		results = append(results, r)
	}
	return results, nil
}
