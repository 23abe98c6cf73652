package server

import (
	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// ProtectedData is the state of a data protection object.
type ProtectedData struct {
	// Objects are read and written together through the buffer.
	Objects []apdu.ProtectedObject
	// Get is how the buffer is protected when it is read, Set how it must be when it is written: what was there first is
	// in the first layer.
	Get, Set []apdu.Layer
	// Required is the least protection of a request and of a response. Its bits are those of security_policy.
	Required Policy
}

// DataProtection declares class 30: attributes and methods of other objects with end-to-end protection that a party on
// the way, such as the head end of another operator, cannot open (Blue Book, recalled; GBCS meters use it).
//
// The data is a structure with one element for each object. A layer that ciphers makes of it the content that
// general-ciphering has, under the key of the layer; one that signs appends the signature that general-signing has (both
// ours: the layers' order and names are recalled, their inside is not). A client reaches through it what its association
// may reach directly, and no more. Write in access covers attributes 2 to 6, and lets the methods run.
func DataProtection(name cosem.OBIS, access Rights, k Kept[ProtectedData]) Object {
	run := executeForWriters(access)
	layers := func(id int8, of func(*ProtectedData) *[]apdu.Layer) Attr {
		return k.field(id, axdr.TagArray, access, func(p *ProtectedData, b []byte) []byte {
			return appendArray(b, *of(p), func(b []byte, l apdu.Layer) []byte { return l.AppendTo(b) })
		}, func(p *ProtectedData, r *axdr.Reader) (err error) {
			*of(p), err = readLayers(r)
			return err
		})
	}
	return Object{
		Class: cosem.ClassDataProtection, Instance: name,
		Attrs: []Attr{
			{
				ID: 2, Type: axdr.TagOctetString, Access: access,
				Get: func(c *Call, dst []byte) ([]byte, error) {
					p := k.Of(c)
					_, b, err := c.protectedGet(p.Objects, p.Get, p.Required)
					if err != nil {
						return dst, err
					}
					return axdr.AppendOctetString(dst, b), nil
				},
				Set: SetOctets(func(c *Call, b []byte) error {
					p := k.Of(c)
					return c.protectedSet(p.Objects, p.Set, p.Required, b)
				}),
			},
			k.field(3, axdr.TagArray, access, func(p *ProtectedData, b []byte) []byte {
				return appendArray(b, p.Objects, func(b []byte, o apdu.ProtectedObject) []byte { return o.AppendTo(b) })
			}, func(p *ProtectedData, r *axdr.Reader) (err error) {
				p.Objects, err = readProtected(r)
				return err
			}),
			layers(4, func(p *ProtectedData) *[]apdu.Layer { return &p.Get }),
			layers(5, func(p *ProtectedData) *[]apdu.Layer { return &p.Set }),
			k.field(6, axdr.TagEnum, access, func(p *ProtectedData, b []byte) []byte {
				return axdr.AppendEnum(b, uint8(p.Required))
			}, func(p *ProtectedData, r *axdr.Reader) error {
				v, err := security.PolicyV1(r.Enum())
				if err != nil {
					return cosem.OtherReason
				}
				p.Required = v
				return nil
			}),
		},
		Methods: []Method{
			{ID: 1, Access: run, Do: func(c *Call, arg, dst []byte) ([]byte, error) {
				objects, layers, _, err := protectedArgument(arg, readProtected, false)
				if err != nil {
					return dst, err
				}
				used, b, err := c.protectedGet(objects, layers, k.Of(c).Required)
				if err != nil {
					return dst, err
				}
				return appendProtected(dst, used, b), nil
			}},
			{ID: 2, Access: run, Do: func(c *Call, arg, dst []byte) ([]byte, error) {
				objects, layers, b, err := protectedArgument(arg, readProtected, true)
				if err != nil {
					return dst, err
				}
				return dst, c.protectedSet(objects, layers, k.Of(c).Required, b)
			}},
			{ID: 3, Access: run, Do: func(c *Call, arg, dst []byte) ([]byte, error) {
				m, layers, b, err := protectedArgument(arg, func(r *axdr.Reader) (cosem.Method, error) {
					a := readReference(r)
					return cosem.Method(a), nil
				}, true)
				if err != nil {
					return dst, err
				}
				used, answer, err := c.protectedDo(m, layers, k.Of(c).Required, b)
				if err != nil {
					return dst, err
				}
				return appendProtected(dst, used, answer), nil
			}},
		},
	}
}

func readProtected(r *axdr.Reader) ([]apdu.ProtectedObject, error) {
	return readArray(r, maxElements, func(r *axdr.Reader) apdu.ProtectedObject {
		p := apdu.ReadProtectedObject(r)
		p.From, p.To = append([]byte(nil), p.From...), append([]byte(nil), p.To...)
		return p
	})
}

// maxLayers bounds the layers of protection: a meter does not peel what has no end.
const maxLayers = 4

func readLayers(r *axdr.Reader) ([]apdu.Layer, error) {
	return readArray(r, maxLayers, func(r *axdr.Reader) apdu.Layer {
		l := apdu.ReadLayer(r)
		for _, b := range []*[]byte{
			&l.Header.TransactionID, &l.Header.Originator, &l.Header.Recipient, &l.Header.OtherInfo, &l.Key.Parameters, &l.Key.Ciphered,
		} {
			*b = append([]byte(nil), *b...)
		}
		return l
	})
}

// protectedArgument reads structure {what, layers}, and with data also an octet-string.
func protectedArgument[T any](arg []byte, what func(*axdr.Reader) (T, error), data bool) (t T, layers []apdu.Layer, b []byte, err error) {
	r := axdr.NewReader(arg)
	if data {
		r.Structure(3)
	} else {
		r.Structure(2)
	}
	if t, err = what(&r); err != nil {
		return t, nil, nil, err
	}
	if layers, err = readLayers(&r); err != nil {
		return t, nil, nil, err
	}
	if data {
		b = r.OctetString()
	}
	return t, layers, b, argument(&r)
}

func appendProtected(dst []byte, layers []apdu.Layer, b []byte) []byte {
	dst = axdr.AppendStructureHeader(dst, 2)
	dst = appendArray(dst, layers, func(b []byte, l apdu.Layer) []byte { return l.AppendTo(b) })
	return axdr.AppendOctetString(dst, b)
}

// inner is a call of the same association to another object.
func (c *Call) inner(class cosem.ClassID, instance cosem.OBIS, id int8) (Call, error) {
	if c.assoc == nil || !c.assoc.ciphered {
		return Call{}, cosem.ObjectUnavailable // there is no client whose keys could protect anything
	}
	in := Call{Now: c.Now, Device: c.Device, ID: id, assoc: c.assoc}
	var r cosem.Result
	if in.Object, r = c.Device.Model.find(c.assoc.index, class, instance); r != cosem.Success {
		return in, r
	}
	if class == cosem.ClassDataProtection {
		return in, cosem.ScopeOfAccessViolated // protection of protection has no end
	}
	return in, nil
}

// target is the call that reads or writes a protected object.
func (c *Call) target(p apdu.ProtectedObject) (Call, error) {
	in, err := c.inner(p.Attribute.Class, p.Attribute.Instance, p.Attribute.ID)
	if err != nil {
		return in, err
	}
	if p.DataIndex != 0 {
		return in, cosem.ScopeOfAccessViolated
	}
	switch p.Restriction {
	case 1:
		in.Selector = int8(cosem.SelectRange)
		in.Selection = cosem.RangeDescriptor{
			Restricting: cosem.CaptureObject{Attribute: cosem.Attribute{Class: cosem.ClassClock, Instance: cosem.Clock, ID: 2}},
			From:        p.From, To: p.To,
		}.AppendTo(nil)
	case 2:
		from, to := axdr.NewReader(p.From), axdr.NewReader(p.To)
		first, last := from.Uint32(), to.Uint32()
		if typed(&from) != nil || typed(&to) != nil {
			return in, cosem.TypeUnmatched
		}
		in.Selector = int8(cosem.SelectEntry)
		in.Selection = cosem.EntryDescriptor{FromEntry: first, ToEntry: last, FromColumn: 1}.AppendTo(nil)
	}
	return in, nil
}

// protectedGet reads objects into one structure and protects it.
func (c *Call) protectedGet(objects []apdu.ProtectedObject, layers []apdu.Layer, required Policy) ([]apdu.Layer, []byte, error) {
	if required.CheckResponse(protectionOf(layers)) != nil {
		return nil, nil, cosem.ReadWriteDenied
	}
	plain := axdr.AppendStructureHeader(nil, len(objects))
	for _, o := range objects {
		in, err := c.target(o)
		if err != nil {
			return nil, nil, err
		}
		if plain, err = in.get(plain); err != nil {
			return nil, nil, err
		}
		if len(plain) > c.Device.Model.maxBytes {
			return nil, nil, cosem.DataBlockUnavailable
		}
	}
	return c.wrap(layers, plain)
}

// protectedSet opens data and writes its elements, in order; the first that fails ends it.
func (c *Call) protectedSet(objects []apdu.ProtectedObject, layers []apdu.Layer, required Policy, b []byte) error {
	plain, err := c.unwrap(layers, required, b)
	if err != nil {
		return err
	}
	r := axdr.NewReader(plain)
	r.Structure(len(objects))
	values := make([][]byte, len(objects))
	for i := range values {
		values[i] = r.Data()
	}
	if err := typed(&r); err != nil {
		return err
	}
	for i, o := range objects {
		in, err := c.target(o)
		if err != nil {
			return err
		}
		if err := in.set(values[i]); err != nil {
			return err
		}
		c.after = append(c.after, in.after...)
	}
	return nil
}

// protectedDo opens the parameter of a method, runs it, and protects what it returns.
func (c *Call) protectedDo(m cosem.Method, layers []apdu.Layer, required Policy, b []byte) ([]apdu.Layer, []byte, error) {
	if required.CheckResponse(protectionOf(layers)) != nil {
		return nil, nil, cosem.ReadWriteDenied
	}
	in, err := c.inner(m.Class, m.Instance, m.ID)
	if err != nil {
		return nil, nil, err
	}
	plain, err := c.unwrap(layers, required, b)
	if err != nil {
		return nil, nil, err
	}
	answer, err := in.do(plain, nil)
	c.after = append(c.after, in.after...)
	if err != nil {
		return nil, nil, err
	}
	if len(answer) == 0 {
		answer = axdr.AppendNull(nil)
	}
	return c.wrap(layers, answer)
}

// protectionOf is what the layers do together.
func protectionOf(layers []apdu.Layer) (p security.Protection) {
	for _, l := range layers {
		p |= protectionOfLayer(l.Kind)
	}
	return p
}

func protectionOfLayer(k apdu.LayerKind) security.Protection {
	switch k {
	case apdu.LayerAuthentication:
		return security.ProtectAuth
	case apdu.LayerEncryption:
		return security.ProtectEnc
	case apdu.LayerBoth:
		return security.ProtectBoth
	}
	return security.ProtectSign
}

// wrap protects data for the client, layer by layer, and tells the parameters that it can be opened with. Of the client's
// parameters, the transaction id, the other information and the way to the key are taken.
func (c *Call) wrap(layers []apdu.Layer, b []byte) ([]apdu.Layer, []byte, error) {
	a := c.assoc
	used := make([]apdu.Layer, len(layers))
	for i, l := range layers {
		if l.Kind == apdu.LayerSignature {
			g := a.party(c.Now, a.version)
			h := g.Header(l.Header.TransactionID)
			h.OtherInfo = l.Header.OtherInfo
			p, err := g.Sign(h, b)
			if err != nil {
				return nil, nil, cosem.OtherReason
			}
			used[i] = apdu.Layer{Kind: l.Kind, Header: p.GeneralHeader}
			b = append(append([]byte(nil), b...), p.Signature...)
			continue
		}
		p, err := a.sealUnder(c.Now, useOf(l.Key), l.Header.TransactionID, l.Header.OtherInfo, protectionOfLayer(l.Kind), b)
		if err != nil {
			return nil, nil, cosem.OtherReason
		}
		used[i] = apdu.Layer{Kind: l.Kind, Header: p.GeneralHeader, Key: p.KeyInfo}
		b = p.Content
	}
	return used, b, nil
}

// unwrap opens data from the client, from the last layer to the first. What was sent before is refused: by its counter, or
// by a transaction id that is not new.
func (c *Call) unwrap(layers []apdu.Layer, required Policy, b []byte) ([]byte, error) {
	a := c.assoc
	if a == nil || !a.ciphered {
		return nil, cosem.ObjectUnavailable
	}
	if required.CheckRequest(protectionOf(layers)) != nil {
		return nil, cosem.ReadWriteDenied
	}
	var signed []byte // the transaction that a signature was found good for
	for i := len(layers) - 1; i >= 0; i-- {
		l := layers[i]
		if l.Kind == apdu.LayerSignature {
			n := len(b) - a.spec.Suite.PointSize()
			p := apdu.GeneralSigning{GeneralHeader: l.Header}
			if n < 0 || n == len(b) {
				return nil, cosem.ReadWriteDenied
			}
			p.Content, p.Signature = b[:n], b[n:]
			if a.party(c.Now, a.version).Verify(p) != nil || !a.newTransaction(l.Header.TransactionID) {
				return nil, cosem.ReadWriteDenied
			}
			b, signed = p.Content, l.Header.TransactionID
			continue
		}
		h, err := security.ParseContent(b)
		if err != nil || h.Control.Protection() != protectionOfLayer(l.Kind) {
			return nil, cosem.ReadWriteDenied
		}
		p := apdu.GeneralCiphering{GeneralHeader: l.Header, KeyInfo: l.Key, Content: b}
		plain, refusal := a.openCiphering(c.Now, p, h, signed != nil && string(signed) == string(l.Header.TransactionID))
		if refusal != nil {
			return nil, cosem.ReadWriteDenied
		}
		b = plain
	}
	return b, nil
}
