package client

import (
	"context"

	"smets1/dlms/cosem"
)

func Associate(ctx context.Context, link Link, cfg Config) (*Client, error) { return nil, nil }
func ReadCounter(ctx context.Context, link Link, name cosem.OBIS, cfg Config) (uint32, error) {
	return 0, nil
}
func (c *Client) Release(ctx context.Context) error { return nil }
