package plan

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"smets1/migration/document"
)

// Addressee is who a notice goes to: one file for each.
type Addressee struct {
	S1SP     string
	Supplier document.EUI
}

// Notices are what the suppliers of dormant meters are told, by addressee.
type Notices struct {
	Migration map[Addressee][]document.MigrationNotice
	Firmware  map[Addressee][]document.FirmwareNotice
	// Late are installations whose supplier could not be told in time for the planned day: they must be planned again.
	Late []document.EUI
}

// Addressees lists who is told something, in order.
func (n *Notices) Addressees() []Addressee {
	var out []Addressee
	for a := range n.Migration {
		out = append(out, a)
	}
	for a := range n.Firmware {
		if _, too := n.Migration[a]; !too {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b Addressee) int {
		return cmp.Or(cmp.Compare(a.S1SP, b.S1SP), bytes.Compare(a.Supplier[:], b.Supplier[:]))
	})
	return out
}

// Sent is a notice that was sent before.
type Sent struct {
	To     Addressee
	Notice document.MigrationNotice
}

// Publication is what notices are made of. Portfolio, EPCL, Calendar, Schedule and Date must be set.
type Publication struct {
	Portfolio     *document.Portfolio
	EPCL          *document.EPCL
	Calendar      *Calendar
	Registrations *document.Registrations // who supplies on the planned day; nil means whom the portfolio names
	Schedule      []document.Placement
	Date          document.Date // of the publication
	Previous      []Sent        // in the order in which they were sent
	Contact       string        // address for questions
}

// Make writes the notices of a publication (the rules are ours). A meter that was never noticed is New. One whose day moved is
// Rescheduled. One whose supplier has changed since is Cancelled towards the old supplier and New towards the new one, whose
// notice period starts anew; that of a day that moved has run. One that is no longer planned is Cancelled.
func (p Publication) Make() *Notices {
	out := &Notices{Migration: map[Addressee][]document.MigrationNotice{}, Firmware: map[Addressee][]document.FirmwareNotice{}}
	last := map[document.EUI]Sent{}
	for _, s := range p.Previous {
		last[s.Notice.DeviceID] = s
	}
	planned := map[document.EUI]bool{}
	for _, pl := range p.Schedule {
		in, ok := p.Portfolio.Installation(pl.Installation)
		if !ok || pl.Day.IsZero() {
			continue
		}
		late := false
		meters := in.Meters()
		for i, d := range meters {
			if d.Status != document.Dormant {
				continue
			}
			planned[d.ID] = true
			to := Addressee{strings.ToUpper(in.S1SP), p.supplier(d, pl.Day)}
			n := document.MigrationNotice{Fuel: d.Fuel(), MPxN: d.MPxN, DeviceID: d.ID, CHFDeviceID: in.ID, Manufacturer: d.Manufacturer, Model: d.Model,
				Firmware: d.Firmware, PaymentMode: d.PaymentMode, Planned: pl.Day, Attempt: pl.Attempt, Status: document.NoticeNew}
			if len(meters) == 2 {
				n.OtherFuelSupplier = p.supplier(meters[1-i], pl.Day)
			}
			was, before := last[d.ID]
			if before && was.Notice.Status != document.NoticeCancelled {
				switch {
				case was.To != to:
					gone := was.Notice
					gone.Status = document.NoticeCancelled
					out.Migration[was.To] = append(out.Migration[was.To], gone)
				case was.Notice.Planned == pl.Day:
					continue
				default:
					n.Status = document.NoticeRescheduled
				}
			}
			if n.Status == document.NoticeNew && pl.Day.Before(p.Date.AddDays(p.Calendar.MigrationNotice)) {
				late = true
				continue
			}
			out.Migration[to] = append(out.Migration[to], n)
			if f, ok := p.upgrade(in, d, pl); ok && n.Status != document.NoticeRescheduled {
				out.Firmware[to] = append(out.Firmware[to], f)
			}
		}
		if late {
			out.Late = append(out.Late, in.ID)
		}
	}
	for _, s := range p.Previous {
		id := s.Notice.DeviceID
		if l := last[id]; planned[id] || l != s || l.Notice.Status == document.NoticeCancelled {
			continue
		}
		gone := s.Notice
		gone.Status = document.NoticeCancelled
		out.Migration[s.To] = append(out.Migration[s.To], gone)
	}
	return out
}

func (p Publication) supplier(d document.Device, on document.Date) document.EUI {
	if p.Registrations == nil {
		return d.Supplier
	}
	if r, ok := p.Registrations.On(d.MPxN, on); ok {
		return r.Supplier
	}
	return d.Supplier
}

// upgrade makes the notice of a meter's firmware upgrade, where its eligible combination has another version.
func (p Publication) upgrade(in *document.Installation, d document.Device, pl document.Placement) (document.FirmwareNotice, bool) {
	if pl.Firmware.IsZero() {
		return document.FirmwareNotice{}, false
	}
	targets := p.EPCL.Targets(in.Combination(), p.Date)
	if len(targets) == 0 {
		return document.FirmwareNotice{}, false
	}
	want := targets[0].Combination.ESME.Firmware
	if d.Type == document.GSME {
		want = targets[0].Combination.GSME.Firmware
	}
	if want == d.Firmware {
		return document.FirmwareNotice{}, false
	}
	return document.FirmwareNotice{Fuel: d.Fuel(), MPxN: d.MPxN, DeviceID: d.ID, DeviceType: d.Type, Manufacturer: d.Manufacturer, Model: d.Model, CurrentFirmware: d.Firmware,
		TargetFirmware: want, PlannedStart: pl.Firmware, PlannedEnd: pl.Day.AddDays(-1), Attempt: pl.Attempt, ContactEmail: p.Contact}, true
}
