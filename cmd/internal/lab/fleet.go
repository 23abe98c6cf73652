package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"smets1/device/fleet"
	"smets1/device/profile"
	"smets1/firmware"
	"smets1/gateway/keystore"
	"smets1/gateway/session"
	"smets1/internal/store"
)

// nv keeps the non-volatile memory of virtual devices in a bucket.
type nv struct {
	ctx    context.Context
	bucket store.Bucket
}

// NV gives virtual devices a bucket for their non-volatile memory. What they
// acknowledged survives the death of the process.
func NV(ctx context.Context, s store.Store) (nv, error) {
	b, err := s.Bucket(ctx, "fleet", store.Options{})
	return nv{ctx, b}, err
}

func (n nv) Save(key string, value []byte) error {
	if len(value) == 0 {
		return n.bucket.Delete(n.ctx, key)
	}
	_, err := n.bucket.Put(n.ctx, key, value)
	return err
}

func (n nv) Load(key string) ([]byte, error) {
	e, err := n.bucket.Get(n.ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return e.Value, err
}

// Each implements fleet.Lister.
func (n nv) Each(f func(key string, value []byte) error) error {
	all, err := n.bucket.List(n.ctx, "")
	for i := 0; i < len(all) && err == nil; i++ {
		err = f(all[i].Key, all[i].Value)
	}
	return err
}

var _ fleet.Lister = nv{}

// Hubs lists the homes of a fleet as a gateway has its hubs on file. A hub
// without a line is left out.
func Hubs(f *fleet.Fleet) []session.Hub {
	var out []session.Hub
	for e := range f.Inventory() {
		if e.Address != "" {
			out = append(out, HubOf(e))
		}
	}
	return out
}

// HubOf is a home as a gateway has its hub on file.
func HubOf(e fleet.Entry) session.Hub {
	h := session.Hub{Address: e.Address, Wake: profile.Wake(e.WakeUp), MSISDN: e.MSISDN, Profile: e.Profile}
	for _, d := range e.Devices {
		switch d.Type {
		case "chf":
			h.EUI = d.EUI
		case "esme":
			h.Devices = append(h.Devices, session.Device{EUI: d.EUI, Type: firmware.ESME, Model: d.Model})
		case "gsme":
			h.Devices = append(h.Devices, session.Device{EUI: d.EUI, Type: firmware.GSME, Model: d.Model})
		}
	}
	return h
}

// Handover takes the keys that the fleet's devices were born with into a
// gateway's key store, as the file of their operator would. Devices that the
// store knows are left alone: their keys may have been changed since.
func Handover(ctx context.Context, f *fleet.Fleet, keys *keystore.Store, owner string, now time.Time) error {
	var b bytes.Buffer
	if err := f.Handover(&b, owner); err != nil {
		return err
	}
	h, err := keystore.ParseHandover(b.Bytes())
	if err != nil {
		return fmt.Errorf("keys of the fleet: %w", err)
	}
	if err := dropKnown(ctx, keys, &h); err != nil {
		return err
	}
	if len(h.Devices) == 0 {
		return nil
	}
	_, err = keys.Import(ctx, h, now)
	return err
}
