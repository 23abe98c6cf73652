package campaign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"smets1/firmware"
	"smets1/gateway/job"
	"smets1/gateway/topic"
	"smets1/internal/wire"
)

// Queue is the part of job.Queue that a campaign needs.
type Queue interface {
	Submit(ctx context.Context, commands ...topic.Command) []topic.Result
	Wait(ctx context.Context, id string) (topic.Result, error)
}

var _ Queue = (*job.Queue)(nil)

// ByQueue is a Doer that gives its commands to a queue, which keeps what became
// of each id longer than a manager needs to ask again.
func ByQueue(q Queue) Doer { return queueDoer{q} }

type queueDoer struct{ q Queue }

// do gives a command and waits for its end. The result is decoded also where it failed.
func (d queueDoer) do(ctx context.Context, c topic.Command, args, result any) error {
	raw, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("campaign: %w", err)
	}
	c.Schema, c.Args = topic.Schema, raw
	r := d.q.Submit(ctx, c)[0]
	if r.Status == topic.StatusAccepted || r.Status == topic.StatusRunning {
		if r, err = d.q.Wait(ctx, c.ID); err != nil {
			return err
		}
	}
	if len(r.Result) > 0 {
		if err := json.Unmarshal(r.Result, result); err != nil {
			return fmt.Errorf("campaign: the result of %s: %w", c.ID, err)
		}
	}
	if r.Status != topic.StatusDone {
		return &topic.Error{Code: r.Code, Message: r.Message}
	}
	return nil
}

// Look implements Doer by identify.
func (d queueDoer) Look(ctx context.Context, id string, hub wire.EUI64) ([]firmware.Installed, error) {
	var r topic.IdentifyResult
	if err := d.do(ctx, topic.Command{ID: id, Hub: hub, Verb: topic.Identify}, topic.IdentifyArgs{}, &r); err != nil {
		return nil, err
	}
	var home []firmware.Installed
	for _, v := range r.Devices {
		kind, ok := firmware.DeviceTypeOf(string(v.Role))
		if !ok || kind == firmware.IHD && v.Code != topic.CodeOK {
			continue // a display is not spoken to by every gateway
		}
		if v.Code != topic.CodeOK {
			return nil, &topic.Error{Code: v.Code, Message: v.Message}
		}
		hardware, _ := strconv.ParseUint(v.Hardware, 10, 16) // one that is no number is 0
		home = append(home, firmware.Installed{
			Device: string(topic.DeviceEUI(v.EUI)), Type: kind, Manufacturer: v.Manufacturer, Model: v.Model, Hardware: uint16(hardware), Version: v.Firmware,
		})
	}
	if len(home) == 0 {
		return nil, errors.New("campaign: the hub names no device")
	}
	return home, nil
}

// Upgrade implements Doer by firmware.upgrade.
func (d queueDoer) Upgrade(ctx context.Context, id string, hub wire.EUI64, device topic.Device, image firmware.Digest, version string) (*topic.FirmwareUpgradeResult, error) {
	var r topic.FirmwareUpgradeResult
	err := d.do(ctx, topic.Command{ID: id, Hub: hub, Verb: topic.FirmwareUpgrade, Device: device}, topic.FirmwareUpgradeArgs{Image: image.String(), Version: version}, &r)
	if r == (topic.FirmwareUpgradeResult{}) {
		return nil, err
	}
	return &r, err
}
