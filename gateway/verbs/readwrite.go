package verbs

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"smets1/dlms/axdr"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/gateway/job"
	"smets1/gateway/session"
	"smets1/gateway/topic"
)

// maxItems is how many attributes one read or write may have.
const maxItems = 256

func attribute(a topic.Attribute) (cosem.Attribute, error) {
	name, err := cosem.ParseOBIS(a.OBIS)
	if err != nil {
		return cosem.Attribute{}, topic.Wrap(topic.CodeBadArgs, err, "member obis", "write it like 1-0:1.8.0.255")
	}
	return cosem.Attribute{Class: cosem.ClassID(a.Class), Instance: name, ID: a.Attribute}, nil
}

func checkItems(n int) error {
	if n < 1 || n > maxItems {
		return topic.NewError(topic.CodeBadArgs, fmt.Sprintf("%d items", n), "member items", fmt.Sprintf("give 1 to %d", maxItems))
	}
	return nil
}

func (v *Verbs) read(ctx context.Context, t *job.Task, s *session.Session) (any, error) {
	var args topic.ReadArgs
	if err := t.DecodeArgs(&args); err != nil {
		return nil, err
	}
	if err := checkItems(len(args.Items)); err != nil {
		return nil, err
	}
	items := make([]client.GetItem, len(args.Items))
	for i, item := range args.Items {
		a, err := attribute(item.Attribute)
		if err != nil {
			return nil, err
		}
		items[i].Attribute = a
		if items[i].Selection, err = rows(a, item.From, item.To); err != nil {
			return nil, err
		}
	}
	d, err := device(t, s)
	if err != nil {
		return nil, err
	}
	var result topic.ReadResult
	err = s.Do(ctx, d.eui, func(ctx context.Context, a *session.Association) error {
		result.Items = result.Items[:0]
		for i := range items {
			raw, err := a.GetWith(ctx, items[i].Attribute, items[i].Selection)
			if err != nil && !as[*client.AccessError](err) {
				return err
			}
			entry := readValue(args.Items[i].Attribute, raw, err, d)
			if err == nil && entry.Value != nil {
				if err := scale(ctx, a, items[i].Attribute, &entry); err != nil {
					return err
				}
			}
			result.Items = append(result.Items, entry)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// rows selects the rows of a profile from one time to before another.
func rows(a cosem.Attribute, from, to time.Time) (client.Selection, error) {
	if from.IsZero() && to.IsZero() {
		return client.Selection{}, nil
	}
	if from.IsZero() || to.IsZero() || !from.Before(to) || a.Class != cosem.ClassProfileGeneric || a.ID != 2 {
		return client.Selection{}, topic.NewError(topic.CodeBadArgs, "from and to do not select rows of a profile",
			"members from and to", "give both, from before to, for attribute 2 of class 7")
	}
	clockTime := cosem.CaptureObject{Attribute: cosem.Attribute{Class: cosem.ClassClock, Instance: session.NameClock, ID: 2}}
	return client.Selection{Selector: cosem.SelectRange, Data: cosem.RangeDescriptor{
		Restricting: clockTime,
		From:        axdr.AppendDateTime(nil, axdr.DateTimeOf(from.UTC())),
		// Inclusive on the wire, in hundredths of a second.
		To: axdr.AppendDateTime(nil, axdr.DateTimeOf(to.UTC().Add(-10*time.Millisecond))),
	}.AppendTo(nil)}, nil
}

func readValue(a topic.Attribute, raw []byte, err error, d target) topic.ReadValue {
	entry := topic.ReadValue{Attribute: a}
	if err == nil {
		var parsed axdr.Value
		if parsed, err = axdr.ParseAll(raw); err == nil {
			w := toTopic(parsed)
			entry.Value = &w
		}
	}
	entry.Outcome = outcome(err, d.where())
	return entry
}

// scale adds the value of a register in its unit.
func scale(ctx context.Context, a *session.Association, at cosem.Attribute, entry *topic.ReadValue) error {
	unit := at
	switch {
	case at.ID == 2 && (at.Class == cosem.ClassRegister || at.Class == cosem.ClassExtendedRegister):
		unit.ID = 3
	case (at.ID == 2 || at.ID == 3) && at.Class == cosem.ClassDemandRegister:
		unit.ID = 4
	default:
		return nil
	}
	n, ok := integer(*entry.Value)
	if !ok {
		return nil
	}
	raw, err := a.Get(ctx, unit)
	if as[*client.AccessError](err) {
		return nil // a register without a unit is still a value
	}
	if err != nil {
		return err
	}
	su, err := cosem.ParseScalerUnit(raw)
	if err != nil {
		return err
	}
	entry.Scaled, entry.Unit = decimal(n, int(su.Scaler)), su.Unit.String()
	return nil
}

func integer(v topic.Value) (*big.Int, bool) {
	switch v.Type {
	case topic.DoubleLong, topic.Integer, topic.Long, topic.Long64:
		return big.NewInt(int64(v.Num)), true
	case topic.DoubleLongUnsigned, topic.Unsigned, topic.LongUnsigned, topic.Long64Unsigned:
		return new(big.Int).SetUint64(v.Num), true
	default:
		return nil, false
	}
}

// decimal writes n times ten to the power of scaler without loss.
func decimal(n *big.Int, scaler int) string {
	if n.Sign() == 0 && scaler > 0 {
		scaler = 0
	}
	if scaler >= 0 {
		return n.String() + strings.Repeat("0", scaler)
	}
	digits := new(big.Int).Abs(n).String()
	if missing := -scaler + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	s := digits[:len(digits)+scaler] + "." + digits[len(digits)+scaler:]
	if n.Sign() < 0 {
		s = "-" + s
	}
	return s
}

// toTopic gives a COSEM value the form of the contract. The numbers of the types
// are the same in both; a compact array becomes an array.
func toTopic(v axdr.Value) topic.Value {
	w := topic.Value{Type: topic.ValueType(v.Tag), Num: v.Num, Bytes: v.Bytes}
	if v.Tag == axdr.TagCompactArray {
		w.Type = topic.Array
	}
	for _, item := range v.Items {
		w.Items = append(w.Items, toTopic(item))
	}
	return w
}

func fromTopic(v topic.Value) axdr.Value {
	w := axdr.Value{Tag: axdr.Tag(v.Type), Num: v.Num, Bytes: v.Bytes}
	for _, item := range v.Items {
		w.Items = append(w.Items, fromTopic(item))
	}
	return w
}

func (v *Verbs) write(ctx context.Context, t *job.Task, s *session.Session) (any, error) {
	var args topic.WriteArgs
	if err := t.DecodeArgs(&args); err != nil {
		return nil, err
	}
	if err := checkItems(len(args.Items)); err != nil {
		return nil, err
	}
	type item struct {
		at  cosem.Attribute
		raw []byte
	}
	items := make([]item, len(args.Items))
	for i := range args.Items {
		at, err := attribute(args.Items[i].Attribute)
		if err != nil {
			return nil, err
		}
		raw, err := fromTopic(args.Items[i].Value).AppendBinary(nil)
		if err != nil {
			return nil, topic.Wrap(topic.CodeBadArgs, err, fmt.Sprintf("member items, entry %d", i+1), "give a value of its type")
		}
		items[i] = item{at, raw}
	}
	d, err := device(t, s)
	if err != nil {
		return nil, err
	}
	var result topic.WriteResult
	for i := range items {
		// The same value twice is once, so that a lost answer does no harm.
		err := s.Do(ctx, d.eui, func(ctx context.Context, a *session.Association) error {
			return a.Set(ctx, items[i].at, items[i].raw)
		})
		result.Items = append(result.Items, topic.WriteOutcome{Attribute: args.Items[i].Attribute, Outcome: outcome(err, d.where())})
		if err != nil {
			var refused *client.AccessError
			if errors.As(err, &refused) && len(items) > i+1 {
				err = topic.Wrap(topic.CodeAccess, err, d.where(), fmt.Sprintf("item %d was refused; the %d after it were not tried", i+1, len(items)-i-1))
			}
			return result, err
		}
	}
	return result, nil
}
