package verbs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/gateway/job"
	"smets1/gateway/session"
	"smets1/gateway/topic"
)

// configuration says which attributes of an object are its owner's settings: what
// stays as it is until somebody writes it. The choice is ours. Readings, counters,
// times, keys, the firmware version and the head end that a hub calls are not
// among them, so that an upgrade, a take-over and a re-pointing leave the digest
// as it was.
var configuration = map[cosem.ClassID][]int8{
	cosem.ClassRegister:             {3},
	cosem.ClassExtendedRegister:     {3},
	cosem.ClassDemandRegister:       {4, 8, 9},
	cosem.ClassRegisterActivation:   {2, 3},
	cosem.ClassProfileGeneric:       {3, 4, 5, 6, 8},
	cosem.ClassClock:                {3, 5, 6, 7, 8, 9},
	cosem.ClassScriptTable:          {2},
	cosem.ClassSpecialDays:          {2},
	cosem.ClassActivityCalendar:     {2, 3, 4, 5, 6, 7, 8, 9},
	cosem.ClassRegisterMonitor:      {2, 3, 4},
	cosem.ClassSingleActionSchedule: {2, 3, 4},
	cosem.ClassSecuritySetup:        {2, 3},
	cosem.ClassDisconnectControl:    {4},
	cosem.ClassLimiter:              {2, 4, 5, 6, 7, 11},
}

// settings are the Data objects that count as configuration.
var settings = []cosem.OBIS{session.NameMPxN, session.NamePaymentMode}

// configDigest digests the configuration of each device. The digest is over a
// line per attribute, in the order of class, logical name and attribute:
//
//	class/obis/attribute=encoded value in hexadecimal, or ! and the access result
func (v *Verbs) configDigest(ctx context.Context, t *job.Task, s *session.Session) (any, error) {
	all, err := devices(t, s)
	if err != nil {
		return nil, err
	}
	var result topic.ConfigDigestResult
	err = each(ctx, all, func(d target) error {
		sum, n, err := digest(ctx, s, d)
		result.Devices = append(result.Devices, topic.ConfigDigestEntry{
			Device: d.role(), EUI: d.eui, Outcome: outcome(err, d.where()), SHA256: sum, Attributes: n, Time: v.c.Clock.Now(),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

func digest(ctx context.Context, s *session.Session, d target) (sum string, n int, err error) {
	err = s.Do(ctx, d.eui, func(ctx context.Context, a *session.Association) error {
		objects, err := a.Objects(ctx)
		if err != nil {
			return err
		}
		items := chosen(objects)
		results, err := a.GetList(ctx, items...)
		if err != nil {
			return err
		}
		h := sha256.New()
		for i, r := range results {
			value := hex.EncodeToString(r.Data)
			if r.Err != nil {
				e, ok := errors.AsType[*client.AccessError](r.Err)
				if !ok {
					return r.Err
				}
				value = "!" + e.Result.Name()
			}
			h.Write([]byte(items[i].Attribute.String() + "=" + value + "\n"))
		}
		sum, n = hex.EncodeToString(h.Sum(nil)), len(results)
		return nil
	})
	return sum, n, err
}

// chosen gives the attributes of the association view that are configuration.
func chosen(objects []client.ObjectInfo) []client.GetItem {
	var items []client.GetItem
	for i := range objects {
		o := &objects[i]
		wanted := configuration[o.Class]
		if o.Class == cosem.ClassData && slices.Contains(settings, o.Name) {
			wanted = []int8{2}
		}
		for _, id := range wanted {
			if slices.ContainsFunc(o.Attributes, func(a client.AttributeInfo) bool { return a.ID == id }) {
				items = append(items, client.GetItem{Attribute: cosem.Attribute{Class: o.Class, Instance: o.Name, ID: id}})
			}
		}
	}
	slices.SortFunc(items, func(x, y client.GetItem) int { return strings.Compare(order(x), order(y)) })
	return items
}

func order(i client.GetItem) string { return string(i.Attribute.AppendTo(nil)) }
