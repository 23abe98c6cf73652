package server

import (
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// Association status (class 15 attribute 8, published).
const (
	statusNonAssociated uint8 = 0
	statusPending       uint8 = 1
	statusAssociated    uint8 = 2
)

// methodReplyToHLS is the one method a pending association may call.
const methodReplyToHLS = 1

// addAssociationObjects adds the current association, and each declared one that has a logical name.
func (m *Model) addAssociationObjects() error {
	if err := m.add(m.associationObject(currentAssociation, func(c *Call) (int, *association) {
		if c.assoc == nil {
			return 0, nil
		}
		return c.assoc.index, c.assoc
	}, func(int) bool { return true })); err != nil {
		return err
	}
	for i := range m.assocs {
		if m.assocs[i].Instance == (cosem.OBIS{}) {
			continue
		}
		index := i
		if err := m.add(m.associationObject(m.assocs[i].Instance, func(c *Call) (int, *association) {
			if c.assoc != nil && c.assoc.index == index {
				return index, c.assoc
			}
			return index, c.Device.opened(index)
		}, func(k int) bool { return k == index })); err != nil {
			return err
		}
	}
	return nil
}

// associationObject declares a class 15 object. which finds the association it shows; whose says which associations
// have rights on it.
func (m *Model) associationObject(name cosem.OBIS, which func(*Call) (int, *association), whose func(int) bool) *Object {
	grant := func(a Access, also func(*Association) bool) (r Rights) {
		for i := range m.assocs {
			if whose(i) && (also == nil || also(&m.assocs[i])) {
				r[i] = a
			}
		}
		return r
	}
	read := grant(Read, nil)
	attr := func(id int8, get func(*Call, *Association, *association, []byte) []byte) Attr {
		return Attr{ID: id, Access: read, Get: func(c *Call, dst []byte) ([]byte, error) {
			i, a := which(c)
			return get(c, &c.Device.Model.assocs[i], a, dst), nil
		}}
	}
	secret := Attr{ID: 7, Type: axdr.TagOctetString, Access: read}
	for i := range m.assocs {
		if a := &m.assocs[i]; read[i] != 0 && a.ChangeSecret && a.Mechanism == security.MechanismLLS {
			secret.Access[i] |= Write
		}
	}
	// A secret can be written, not read back.
	secret.Get = func(_ *Call, dst []byte) ([]byte, error) { return axdr.AppendOctetString(dst, nil), nil }
	secret.Set = func(c *Call, raw []byte) error {
		i, _ := which(c)
		return c.changeSecret(i, raw)
	}
	o := &Object{Class: cosem.ClassAssociationLN, Version: m.version, Instance: name, NameAccess: read}
	o.Attrs = []Attr{
		{ID: 2, Access: read, Get: getObjectList, Selectors: []int8{selectAll, selectClasses, selectObjects, selectObject}},
		attr(3, func(c *Call, s *Association, a *association, b []byte) []byte {
			client := s.Client
			if a != nil {
				client = a.peer.Client
			}
			b = axdr.AppendStructureHeader(b, 2)
			b = axdr.AppendInt8(b, int8(client))
			return axdr.AppendUint16(b, c.Device.sap())
		}),
		attr(4, func(_ *Call, s *Association, a *association, b []byte) []byte {
			context := uint8(1)
			if a != nil && a.ciphered || a == nil && s.Ciphered {
				context = 3
			}
			return appendOID(b, 1, context)
		}),
		attr(5, func(_ *Call, s *Association, _ *association, b []byte) []byte {
			b = axdr.AppendStructureHeader(b, 6)
			b = axdr.AppendBitString(b, s.Conformance.AppendTo(nil), 24) // what the server can do, not what was negotiated
			b = axdr.AppendUint16(b, s.MaxPDU)
			b = axdr.AppendUint16(b, s.MaxPDU)
			b = axdr.AppendUint8(b, 6)
			b = axdr.AppendInt8(b, 0)
			return axdr.AppendOctetString(b, nil) // the dedicated key is never shown
		}),
		attr(6, func(_ *Call, s *Association, _ *association, b []byte) []byte {
			return appendOID(b, 2, uint8(s.Mechanism))
		}),
		secret,
		attr(8, func(_ *Call, _ *Association, a *association, b []byte) []byte {
			switch {
			case a == nil:
				return axdr.AppendEnum(b, statusNonAssociated)
			case a.pending:
				return axdr.AppendEnum(b, statusPending)
			}
			return axdr.AppendEnum(b, statusAssociated)
		}),
	}
	if m.version >= 1 {
		o.Attrs = append(o.Attrs, attr(9, func(_ *Call, s *Association, _ *association, b []byte) []byte {
			return axdr.AppendOctetString(b, s.SecuritySetup[:])
		}))
	}
	if m.version >= 2 {
		o.Attrs = append(o.Attrs,
			attr(10, func(c *Call, s *Association, _ *association, b []byte) []byte {
				return appendArray(b, s.users(c.Device), appendUser)
			}),
			attr(11, func(c *Call, s *Association, a *association, b []byte) []byte {
				var user User
				if a != nil {
					user.ID = a.user
				}
				if u := userName(s.users(c.Device), user.ID); u != nil {
					user = *u
				}
				return appendUser(b, user)
			}))
	}
	o.Methods = []Method{
		{ID: methodReplyToHLS, Access: grant(Execute, func(a *Association) bool { return a.Mechanism.IsHLS() }), Do: replyToHLS},
		{ID: 2, Access: grant(Execute, func(a *Association) bool { return a.ChangeSecret && a.Mechanism.IsHLS() }), Do: func(c *Call, arg, dst []byte) ([]byte, error) {
			i, _ := which(c)
			return dst, c.changeSecret(i, arg)
		}},
		{ID: 3}, {ID: 4}, // add and remove object: the list is the model's
	}
	if m.version >= 2 {
		edit := grant(Execute, func(a *Association) bool { return a.EditUsers && a.Users != nil })
		o.Methods = append(o.Methods,
			Method{ID: 5, Access: edit, Do: func(c *Call, arg, dst []byte) ([]byte, error) {
				i, _ := which(c)
				return dst, addUser(c.Device.Model.assocs[i].Users(c.Device), arg)
			}},
			Method{ID: 6, Access: edit, Do: func(c *Call, arg, dst []byte) ([]byte, error) {
				i, _ := which(c)
				return dst, removeUser(c.Device.Model.assocs[i].Users(c.Device), arg)
			}})
	}
	return o
}

func (c *Call) changeSecret(index int, raw []byte) error {
	changer, ok := c.Device.Security.(SecretChanger)
	if !ok {
		return cosem.ReadWriteDenied
	}
	r := axdr.NewReader(raw)
	secret := r.OctetString()
	if err := typed(&r); err != nil {
		return err
	}
	s := security.NewSecret(secret)
	c.After(func() { _ = changer.SetSecret(index, s) })
	return nil
}

// appendOID appends a context or mechanism name as its structure {2, 16, 756, 5, 8, arc, id} (verified against
// independent servers).
func appendOID(b []byte, arc, id uint8) []byte {
	b = axdr.AppendStructureHeader(b, 7)
	b = axdr.AppendUint8(b, 2)
	b = axdr.AppendUint8(b, 16)
	b = axdr.AppendUint16(b, 756)
	b = axdr.AppendUint8(b, 5)
	b = axdr.AppendUint8(b, 8)
	b = axdr.AppendUint8(b, arc)
	return axdr.AppendUint8(b, id)
}

// replyToHLS is pass 3 and 4.
func replyToHLS(c *Call, arg, dst []byte) ([]byte, error) {
	if c.assoc == nil {
		return dst, cosem.ActionReadWriteDenied
	}
	return c.assoc.replyToHLS(c.Now, arg, dst)
}
