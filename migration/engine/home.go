package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/wire"
	"smets1/migration/document"
)

// A home is one installation with what the documents say of it beside what
// the journal remembers. One goroutine at a time works on it.
type home struct {
	*Record
	base *document.Installation // of the portfolio
	doc  *document.Installation // as it holds today
	why  *failure               // why a Candidate has no day yet
}

// failure is why a step on a home did not succeed, in the words of the
// catalogue. It is an outcome, not an error of the engine.
type failure struct {
	code   string
	detail string
	// artefact is the id of the command that failed, if there was one.
	artefact string
}

func (f *failure) Error() string { return f.code + ": " + f.detail }

func failed(code, format string, args ...any) *failure {
	return &failure{code: code, detail: fmt.Sprintf(format, args...)}
}

// devices lists the devices that the present attempt concerns, hub first.
func (h *home) devices() []document.Device {
	var out []document.Device
	for _, t := range []document.DeviceType{document.CHF, document.ESME, document.GSME} {
		if d, ok := h.doc.Device(t); ok && !(t == document.GSME && h.ElectricityOnly) {
			out = append(out, d)
		}
	}
	return out
}

// role is how the MQTT contract names a device of a home.
func role(t document.DeviceType) topic.Device {
	switch t {
	case document.ESME:
		return topic.ESME
	case document.GSME:
		return topic.GSME
	case document.PPMID, document.IHD, document.CAD:
		return topic.IHD
	default:
		return topic.CHF
	}
}

// evidence finds or adds what a device said.
func (r *Record) evidence(id wire.EUI64, t document.DeviceType) *DeviceEvidence {
	for n := range r.Evidence.Devices {
		if r.Evidence.Devices[n].EUI == id {
			return &r.Evidence.Devices[n]
		}
	}
	r.Evidence.Devices = append(r.Evidence.Devices, DeviceEvidence{EUI: id, Role: string(t)})
	return &r.Evidence.Devices[len(r.Evidence.Devices)-1]
}

// commandID names a command by what it is for, so that after a crash the same
// question gets the stored answer.
func (e *Engine) commandID(h *home, step string) string {
	return fmt.Sprintf("%s/%s/%d/%s", e.run.ID, h.ID, h.Attempt, step)
}

// ask sends a command to a home and waits for its end. An error of the
// contract (*topic.Error) is how the home or the gateway fared; any other
// error stops the engine.
func (e *Engine) ask(ctx context.Context, h *home, step string, verb topic.Verb, device topic.Device, args, out any) error {
	cmd, err := topic.NewCommand(e.commandID(h, step), h.ID, verb, args)
	if err != nil {
		return err
	}
	cmd.Device = device
	// What has not started by the end of the window is not to start at all: the
	// engine will have moved on.
	window := e.cfg.Window
	cmd.Deadline = e.cfg.Clock.Now().Add(window)
	e.cfg.Log.Debug("asks", slog.String("id", cmd.ID), slog.String("verb", string(verb)))
	limited, cancel := clock.WithTimeout(ctx, e.cfg.Clock, window+window/4)
	defer cancel()
	res, err := e.cfg.Gateway.Call(limited, cmd, func(p topic.Progress) { e.stepped(h, step, p) })
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && limited.Err() != nil:
		return &topic.Error{Code: topic.CodeTimeout, Message: topic.Message{What: "no result from the gateway within " + (window + window/4).String(), Where: cmd.ID}}
	case err != nil:
		return err
	}
	if err := res.Err(); err != nil {
		return err
	}
	if out != nil {
		return res.Decode(out)
	}
	return nil
}

// verdict turns the outcome of a step into a failure under a code of the
// catalogue, or into an error that stops the engine. A nil err is neither.
// codes says what the step's own causes mean; what they do not name has the
// same meaning at every step.
func (e *Engine) verdict(h *home, step string, err error, otherwise string, codes map[topic.Code]string) (*failure, error) {
	if err == nil {
		return nil, nil
	}
	var te *topic.Error
	if !errors.As(err, &te) {
		return nil, err
	}
	code, ok := codes[te.Code]
	if !ok {
		switch te.Code {
		case topic.CodeNoWAN, topic.CodeHubSilent, topic.CodeLinkLost:
			code = "XVB01"
		case topic.CodeTimeout, topic.CodeExpired:
			code = "XEN01"
		case topic.CodeInDoubt:
			code = "XEN02"
		case topic.CodeUnknownHub:
			code = "XEN04"
		case topic.CodeBusy, topic.CodeInternal, topic.CodeStorage, topic.CodeStale, topic.CodeCancelled, topic.CodeForbidden:
			code = "XEN03"
		default:
			code = otherwise
		}
	}
	detail := te.Message.String()
	if detail == "" {
		detail = te.Code.Info().Sentence
	}
	return &failure{code: code, detail: string(te.Code) + ": " + detail, artefact: e.commandID(h, step)}, nil
}

// check keeps how a device test went, for the viability file.
func (e *Engine) check(h *home, d document.Device, name string, began time.Time, f *failure) {
	c := Check{Device: d.ID, Name: name, Duration: e.cfg.Clock.Now().Sub(began)}
	if f != nil {
		c.Code, c.Detail = f.code, f.detail
	}
	h.Evidence.Checks = append(h.Evidence.Checks, c)
}
