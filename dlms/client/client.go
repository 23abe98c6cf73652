package client

import (
	"context"
	"errors"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// Client is an open association. Its methods may be called from several goroutines; requests take turns.
type Client struct{}

// Selection is selective access: which part of an attribute to read or write.
type Selection struct {
	Selector  uint8
	Parameter []byte // one encoded Data
}

func Associate(ctx context.Context, link Link, cfg Config) (*Client, error) {
	return nil, errors.ErrUnsupported
}

func Behind(link Link, network uint8, address []byte) Link { return nil }

func ReadCounter(ctx context.Context, link Link, cfg Config) (uint32, error) {
	return 0, errors.ErrUnsupported
}

func (c *Client) Get(ctx context.Context, a cosem.Attribute) ([]byte, error) {
	return nil, errors.ErrUnsupported
}
func (c *Client) GetWith(ctx context.Context, a cosem.Attribute, s *Selection) ([]byte, error) {
	return nil, errors.ErrUnsupported
}
func (c *Client) AppendGet(ctx context.Context, dst []byte, a cosem.Attribute, s *Selection) ([]byte, error) {
	return nil, errors.ErrUnsupported
}
func (c *Client) Set(ctx context.Context, a cosem.Attribute, data []byte) error {
	return errors.ErrUnsupported
}
func (c *Client) SetAxdr(ctx context.Context, a cosem.Attribute, v axdr.Value) error {
	return errors.ErrUnsupported
}
func (c *Client) SetWith(ctx context.Context, a cosem.Attribute, s *Selection, data []byte) error {
	return errors.ErrUnsupported
}

// Action calls a method; data nil means no parameter. The answer is the encoded return value, nil if there is none.
func (c *Client) Action(ctx context.Context, m cosem.Method, data []byte) ([]byte, error) {
	return nil, errors.ErrUnsupported
}

type GetItem struct {
	Attribute cosem.Attribute
	Selection *Selection
}
type GetResult struct {
	Data []byte
	Err  error // *AccessError
}
type SetItem struct {
	Attribute cosem.Attribute
	Selection *Selection
	Data      []byte
}
type ActionItem struct {
	Method cosem.Method
	Data   []byte
}

func (c *Client) GetList(ctx context.Context, items ...GetItem) ([]GetResult, error) {
	return nil, errors.ErrUnsupported
}
func (c *Client) SetList(ctx context.Context, items ...SetItem) ([]error, error) {
	return nil, errors.ErrUnsupported
}
func (c *Client) ActionList(ctx context.Context, items ...ActionItem) ([]GetResult, error) {
	return nil, errors.ErrUnsupported
}

// Release ends the association and closes the link (not the line). Err is why the association is lost, nil while open.
func (c *Client) Release(ctx context.Context) error { return errors.ErrUnsupported }
func (c *Client) Err() error                        { return nil }
func (c *Client) Conformance() cosem.Conformance    { return 0 }
func (c *Client) ServerTitle() security.SystemTitle { return security.SystemTitle{} }
