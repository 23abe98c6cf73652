package client

import (
	"context"
	"fmt"
	"math"
	"time"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// GetAxdr reads an attribute and decodes it.
func (c *Client) GetAxdr(ctx context.Context, a cosem.Attribute) (axdr.Value, error) {
	raw, err := c.Get(ctx, a)
	if err != nil {
		return axdr.Value{}, err
	}
	v, err := axdr.ParseAll(raw)
	if err != nil {
		return axdr.Value{}, fmt.Errorf("client: value of %v: %w", a, err)
	}
	return v, nil
}

// typed reads an attribute and takes what as gets out of it.
func typed[T any](ctx context.Context, c *Client, a cosem.Attribute, as func(axdr.Value) (T, error)) (T, error) {
	v, err := c.GetAxdr(ctx, a)
	if err != nil {
		var zero T
		return zero, err
	}
	t, err := as(v)
	if err != nil {
		return t, fmt.Errorf("client: value of %v: %w", a, err)
	}
	return t, nil
}

// GetUint reads an attribute that is a number of any size and not negative, or an enum.
func (c *Client) GetUint(ctx context.Context, a cosem.Attribute) (uint64, error) {
	return typed(ctx, c, a, func(v axdr.Value) (uint64, error) {
		if v.Tag == axdr.TagEnum {
			e, err := v.AsEnum()
			return uint64(e), err
		}
		return v.AsUint()
	})
}

// GetInt reads an attribute that is a number of any size.
func (c *Client) GetInt(ctx context.Context, a cosem.Attribute) (int64, error) {
	return typed(ctx, c, a, axdr.Value.AsInt)
}

// GetBool reads a boolean.
func (c *Client) GetBool(ctx context.Context, a cosem.Attribute) (bool, error) {
	return typed(ctx, c, a, axdr.Value.AsBool)
}

// GetBytes reads an octet-string or another string's bytes.
func (c *Client) GetBytes(ctx context.Context, a cosem.Attribute) ([]byte, error) {
	return typed(ctx, c, a, axdr.Value.AsBytes)
}

// GetString reads a string, an octet-string that holds text included.
func (c *Client) GetString(ctx context.Context, a cosem.Attribute) (string, error) {
	return typed(ctx, c, a, axdr.Value.AsString)
}

// GetDateTime reads a date-time, with what is unspecified in it.
func (c *Client) GetDateTime(ctx context.Context, a cosem.Attribute) (axdr.DateTime, error) {
	return typed(ctx, c, a, axdr.Value.AsDateTime)
}

// Clock reads the meter's clock. A clock that does not tell its deviation is taken for UTC.
func (c *Client) Clock(ctx context.Context) (time.Time, axdr.ClockStatus, error) {
	at, err := c.GetDateTime(ctx, clockTime)
	if err != nil {
		return time.Time{}, 0, err
	}
	t, err := at.In(time.UTC)
	if err != nil {
		return time.Time{}, at.Status, fmt.Errorf("client: clock reads %v: %w", at, err)
	}
	return t.UTC(), at.Status, nil
}

// SetClock writes the meter's clock, in UTC.
func (c *Client) SetClock(ctx context.Context, t time.Time) error {
	return c.Set(ctx, clockTime, axdr.AppendDateTime(nil, axdr.DateTimeOf(t.UTC())))
}

// Quantity is the value of a register: Value times ten to the power of Scaler, in Unit.
type Quantity struct {
	Value int64
	cosem.ScalerUnit
}

// Float is the value in its unit.
func (q Quantity) Float() float64 { return float64(q.Value) * math.Pow10(int(q.Scaler)) }

// String gives the value with its unit, "1234.5 kWh" as the meter would show it: "1234500 Wh".
func (q Quantity) String() string {
	digits := max(0, -int(q.Scaler))
	return fmt.Sprintf("%.*f %v", digits, q.Float(), q.Unit)
}

// Register reads value and unit of a register (class 3), an extended register (4), or the last average of a demand
// register (5).
func (c *Client) Register(ctx context.Context, class cosem.ClassID, name cosem.OBIS) (Quantity, error) {
	value, unit := int8(2), int8(3)
	if class == cosem.ClassDemandRegister {
		value, unit = 3, 4
	}
	raw, err := c.Get(ctx, cosem.Attribute{Class: class, Instance: name, ID: unit})
	if err != nil {
		return Quantity{}, err
	}
	su, err := cosem.ParseScalerUnit(raw)
	if err != nil {
		return Quantity{}, fmt.Errorf("client: unit of %v: %w", name, err)
	}
	v, err := c.GetInt(ctx, cosem.Attribute{Class: class, Instance: name, ID: value})
	return Quantity{v, su}, err
}

// ObjectInfo is one object of an association view.
type ObjectInfo struct {
	Class      cosem.ClassID
	Version    uint8
	Name       cosem.OBIS
	Attributes []AttributeInfo
	Methods    []MethodInfo
}

// AttributeInfo is what an association may do with an attribute.
type AttributeInfo struct {
	ID        int8
	Access    uint8 // as coded in the association's version
	Selectors []int8
}

// MethodInfo is what an association may do with a method.
type MethodInfo struct {
	ID     int8
	Access uint8 // as coded in the association's version; a boolean's true is 1
}

// Objects reads the association view (class 15, object_list), or of it only the objects of some classes, where the
// server selects; it is read whole otherwise and cut here.
func (c *Client) Objects(ctx context.Context, classes ...cosem.ClassID) ([]ObjectInfo, error) {
	list := cosem.Attribute{Class: cosem.ClassAssociationLN, Instance: cosem.CurrentAssociation, ID: 2}
	raw, err := c.Get(ctx, list)
	if err != nil {
		return nil, err
	}
	objects, err := parseObjects(raw)
	if err != nil {
		return nil, fmt.Errorf("client: association view: %w", err)
	}
	if len(classes) == 0 {
		return objects, nil
	}
	kept := objects[:0]
	for _, o := range objects {
		for _, class := range classes {
			if o.Class == class {
				kept = append(kept, o)
				break
			}
		}
	}
	return kept, nil
}

func parseObjects(raw []byte) ([]ObjectInfo, error) {
	v, err := axdr.ParseAll(raw)
	if err != nil {
		return nil, err
	}
	items, err := v.AsArray()
	if err != nil {
		return nil, err
	}
	objects := make([]ObjectInfo, 0, len(items))
	for i, item := range items {
		o, err := parseObject(item)
		if err != nil {
			return nil, fmt.Errorf("object %d: %w", i+1, err)
		}
		objects = append(objects, o)
	}
	return objects, nil
}

func parseObject(item axdr.Value) (ObjectInfo, error) {
	fields, err := item.AsStructure(4)
	if err != nil {
		return ObjectInfo{}, err
	}
	class, err := fields[0].AsUint()
	if err != nil {
		return ObjectInfo{}, err
	}
	version, err := fields[1].AsUint()
	if err != nil {
		return ObjectInfo{}, err
	}
	name, err := fields[2].AsBytes()
	if err != nil {
		return ObjectInfo{}, err
	}
	if len(name) != 6 || class > math.MaxUint16 || version > math.MaxUint8 {
		return ObjectInfo{}, fmt.Errorf("class %d version %d name %X: %w", class, version, name, axdr.ErrValue)
	}
	o := ObjectInfo{Class: cosem.ClassID(class), Version: uint8(version), Name: cosem.OBIS(name)}
	rights, err := fields[3].AsStructure(2)
	if err != nil {
		return ObjectInfo{}, err
	}
	for _, a := range rights[0].Items {
		info := AttributeInfo{ID: int8(a.At(0).Num), Access: uint8(a.At(1).Num)}
		for _, s := range a.At(2).Items {
			info.Selectors = append(info.Selectors, int8(s.Num))
		}
		o.Attributes = append(o.Attributes, info)
	}
	for _, m := range rights[1].Items {
		o.Methods = append(o.Methods, MethodInfo{ID: int8(m.At(0).Num), Access: uint8(m.At(1).Num)})
	}
	return o, nil
}
