package server

import (
	"slices"
	"time"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
)

// maxKeyTransfer bounds the elements of one key_transfer.
const maxKeyTransfer = 4

// SecuritySetup declares class 64 version 0 at the given name (0-0:43.0.0.255). Read in access shows the attributes,
// Write lets security_activate and key_transfer run. The device's Security must be a [KeyChanger].
//
// key_transfer takes an array of structure {key id, key wrapped under the KEK}. Every element is unwrapped and checked
// before anything changes; the reply is still protected with the keys the request came under (published; verified
// against independent implementations).
func SecuritySetup(name cosem.OBIS, access Rights) Object {
	ro, run := only(access, ^Write), executeForWriters(access)
	return Object{
		Class: cosem.ClassSecuritySetup, Instance: name,
		Attrs: []Attr{
			{ID: 2, Access: ro, Get: Enum(func(c *Call) uint8 {
				v, err := c.policy().V0()
				if err != nil {
					return 3 // stronger in parts than version 0 can say
				}
				return v
			})},
			{ID: 3, Access: ro, Get: Enum(func(c *Call) uint8 {
				if s := c.Association(); s != nil {
					return uint8(s.Suite)
				}
				return 0
			})},
			{ID: 4, Access: ro, Get: Octets(func(c *Call) []byte {
				t := c.ClientTitle()
				if t.IsZero() {
					return nil
				}
				return t[:]
			})},
			{ID: 5, Access: ro, Get: Octets(func(c *Call) []byte {
				t := c.Device.Security.SystemTitle()
				return t[:]
			})},
		},
		Methods: []Method{
			{ID: 1, Access: run, Do: activatePolicy},
			{ID: 2, Access: run, Do: transferKeys},
		},
	}
}

// policy in force: of the device and, in an association, its own.
func (c *Call) policy() Policy {
	p := c.Device.Security.Policy()
	if s := c.Association(); s != nil {
		p |= s.Policy
	}
	return p
}

func activatePolicy(c *Call, arg, dst []byte) ([]byte, error) {
	return activate(c, arg, dst, security.PolicyV0)
}

// activate raises the policy to one that policy reads from its number.
func activate(c *Call, arg, dst []byte, policy func(uint8) (Policy, error)) ([]byte, error) {
	changer, ok := c.Device.Security.(KeyChanger)
	if !ok {
		return dst, cosem.ActionReadWriteDenied
	}
	r := axdr.NewReader(arg)
	v := r.Enum()
	if typed(&r) != nil {
		return dst, cosem.ActionTypeUnmatched
	}
	p, err := policy(v)
	if err != nil {
		return dst, cosem.ActionOtherReason
	}
	if !p.Strengthens(c.policy()) {
		return dst, cosem.ActionReadWriteDenied
	}
	c.After(func() { _ = changer.Activate(p) })
	return dst, nil
}

func transferKeys(c *Call, arg, dst []byte) ([]byte, error) {
	changer, ok := c.Device.Security.(KeyChanger)
	if !ok {
		return dst, cosem.ActionReadWriteDenied
	}
	keys, ok := changer.Keys(c.Now, c.KeyVersion())
	if !ok || keys.KEK.IsZero() {
		return dst, cosem.ActionReadWriteDenied
	}
	r := axdr.NewReader(arg)
	n := r.Array()
	if n == 0 || n > maxKeyTransfer {
		return dst, cosem.ActionTypeUnmatched
	}
	var updates []KeyUpdate
	for range n {
		r.Structure(2)
		id, wrapped := security.KeyID(r.Enum()), r.OctetString()
		if r.Err() != nil {
			return dst, cosem.ActionTypeUnmatched
		}
		if id > security.KeyKEK {
			return dst, cosem.ActionOtherReason
		}
		if known(updates, id) {
			return dst, cosem.ActionOtherReason
		}
		if len(wrapped) != keys.KEK.Len()+8 {
			return dst, cosem.ActionTypeUnmatched
		}
		key, err := security.UnwrapKey(keys.KEK, wrapped)
		if err != nil {
			return dst, cosem.ActionOtherReason
		}
		updates = append(updates, KeyUpdate{ID: id, Key: key})
	}
	if typed(&r) != nil {
		return dst, cosem.ActionTypeUnmatched
	}
	apply, err := changer.Transfer(c.Now, c.KeyVersion(), updates)
	if err != nil {
		return dst, err
	}
	c.After(apply)
	return dst, nil
}

func known(updates []KeyUpdate, id security.KeyID) bool {
	return slices.ContainsFunc(updates, func(u KeyUpdate) bool { return u.ID == id })
}

// Supervised is a [Security] whose keys wait for a commit; [Keyring] is one.
type Supervised interface {
	Change(now time.Time) (s ChangeState, left time.Duration, current KeyVersion)
	Window() time.Duration
	Commit(now time.Time, v KeyVersion) error
	Revert()
}

// ClassKeyChange is the manufacturer's class of the supervised key change (ours).
const ClassKeyChange cosem.ClassID = 8300

// KeyChangeName is the logical name of the supervised key change (ours).
var KeyChangeName = cosem.OBIS{0, 128, 43, 0, 0, 255}

// KeyChange declares the supervised key change (ours): keys that key_transfer brought open new associations at once,
// the old ones do too, until method 1 commits, in an association under the new keys. When the window ends, or method 2
// is called, or the power fails, the new keys are dropped.
//
//	2 state enum: 0 idle, 1 staged, 2 proven      4 seconds remaining, double-long-unsigned
//	3 window in seconds, double-long-unsigned     5 version of the keys in force, double-long-unsigned
//
// Read in access shows the attributes, Write lets the methods run. The device's Security must be [Supervised].
func KeyChange(access Rights) Object {
	ro, run := only(access, ^Write), executeForWriters(access)
	of := func(c *Call) (Supervised, error) {
		if s, ok := c.Device.Security.(Supervised); ok {
			return s, nil
		}
		return nil, cosem.ObjectUnavailable
	}
	read := func(id int8, f func(c *Call, s Supervised, b []byte) []byte) Attr {
		return Attr{ID: id, Access: ro, Get: func(c *Call, dst []byte) ([]byte, error) {
			s, err := of(c)
			if err != nil {
				return dst, err
			}
			return f(c, s, dst), nil
		}}
	}
	return Object{
		Class: ClassKeyChange, Instance: KeyChangeName,
		Attrs: []Attr{
			read(2, func(c *Call, s Supervised, b []byte) []byte {
				state, _, _ := s.Change(c.Now)
				return axdr.AppendEnum(b, uint8(state))
			}),
			read(3, func(_ *Call, s Supervised, b []byte) []byte {
				return axdr.AppendUint32(b, uint32(s.Window()/time.Second))
			}),
			read(4, func(c *Call, s Supervised, b []byte) []byte {
				_, left, _ := s.Change(c.Now)
				return axdr.AppendUint32(b, uint32((left+time.Second-1)/time.Second))
			}),
			read(5, func(c *Call, s Supervised, b []byte) []byte {
				_, _, v := s.Change(c.Now)
				return axdr.AppendUint32(b, uint32(v))
			}),
		},
		Methods: []Method{
			{ID: 1, Access: run, Do: Zero(func(c *Call) error {
				s, err := of(c)
				if err != nil {
					return err
				}
				return s.Commit(c.Now, c.KeyVersion())
			})},
			{ID: 2, Access: run, Do: Zero(func(c *Call) error {
				s, err := of(c)
				if err != nil {
					return err
				}
				if state, _, _ := s.Change(c.Now); state == ChangeIdle {
					return cosem.ActionReadWriteDenied
				}
				c.After(s.Revert)
				return nil
			})},
		},
	}
}

// InvocationCounter declares the Data 0-0:43.1.x.255 from which a client with no security learns the counter it has to
// exceed: get gives the highest received under the keys in force, as [Keyring.RxHighest] does.
func InvocationCounter(x uint8, access Rights, get func(*Call) uint32) Object {
	return Data(cosem.OBIS{0, 0, 43, 1, x, 255}, Value{Type: axdr.TagUint32, Access: only(access, ^Write), Get: Uint32(get)})
}
