package core

import (
	"fmt"
	"time"

	"smets1/device/profile"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/dlms/server"
)

// The associations of every device, by their index in a model.
const (
	AssociationPublic     = 0 // no security: name, clock, counter, addresses
	AssociationManagement = 1 // HLS 5 with GMAC, all ciphered
)

// The rights that objects are declared with.
var (
	// Public may be read by anybody, and written by nobody.
	Public = server.Rights{AssociationPublic: server.Read, AssociationManagement: server.Read}
	// PublicManaged may be read by anybody, and written by the management client.
	PublicManaged = server.Rights{AssociationPublic: server.Read, AssociationManagement: server.ReadWrite}
	// Private may be read by the management client.
	Private = server.Rights{AssociationManagement: server.Read}
	// Managed may be read and written by the management client.
	Managed = server.Rights{AssociationManagement: server.ReadWrite}
	// Run lets the management client run a method.
	Run = server.Rights{AssociationManagement: server.Execute}
)

// The logical names of what every device has. Those with 128 are ours.
var (
	ClockName        = cosem.MustOBIS("0-0:1.0.0.255")
	SecurityName     = cosem.MustOBIS("0-0:43.0.0.255")
	LogName          = cosem.MustOBIS("0-0:99.98.0.255")
	SecurityLogName  = cosem.MustOBIS("0-0:99.98.1.255")
	OperationName    = cosem.MustOBIS("0-0:96.8.0.255") // time of operation
	EventName        = cosem.MustOBIS("0-0:96.11.0.255")
	SerialName       = cosem.MustOBIS("0-0:96.1.0.255")
	ManufacturerName = cosem.MustOBIS("0-0:96.1.1.255")
	ModelName        = cosem.MustOBIS("0-0:96.1.2.255")
	HardwareName     = cosem.MustOBIS("0-0:96.1.3.255")
	EUIName          = cosem.MustOBIS("0-0:96.1.4.255")
	HubFirmware      = cosem.MustOBIS("0-0:0.2.0.255")
	MeterFirmware    = cosem.MustOBIS("1-0:0.2.0.255")
	MPxNName         = cosem.MustOBIS("0-0:94.44.34.11")
	PaymentModeName  = cosem.MustOBIS("0-0:94.44.35.0")
	ImageReasonName  = cosem.MustOBIS("0-0:128.44.0.255")
	KeyChangeName    = cosem.MustOBIS("0-0:128.43.0.255")
	HANDevicesName   = cosem.MustOBIS("0-0:128.96.0.255")
)

// ClockColumn is the time stamp of a profile.
var ClockColumn = server.Column{Attribute: cosem.Attribute{Class: cosem.ClassClock, Instance: ClockName, ID: 2}}

// Restrictors are what a range of a log may be asked by beside its clock column: seconds
// since 2000 (GBCS, published there).
var Restrictors = []cosem.Attribute{{Class: cosem.ClassData, Instance: cosem.MustOBIS("0-0:94.44.100.255"), ID: 2}}

// Associations declares the clients of a device as its profile has them.
func Associations(d profile.DLMS) ([]server.Association, error) {
	var conf cosem.Conformance
	for _, n := range d.Conformance {
		bit, ok := conformance[n]
		if !ok {
			return nil, fmt.Errorf("conformance bit %q is unknown", n)
		}
		conf |= bit
	}
	policy, err := security.PolicyV0(d.Policy.Enum())
	if err != nil {
		return nil, err
	}
	return []server.Association{
		AssociationPublic: {
			Name: "public", Client: d.Clients.Public, Instance: cosem.OBIS{0, 0, 40, 0, 1, 255},
			Mechanism: security.MechanismNone, Plain: true, Conformance: conf, MaxPDU: d.MaxPDU,
		},
		AssociationManagement: {
			Name: "management", Client: d.Clients.Management, Instance: cosem.OBIS{0, 0, 40, 0, 2, 255},
			Mechanism: security.MechanismGMAC, Ciphered: true, Suite: security.Suite(d.Suite), Policy: policy,
			Conformance: conf, MaxPDU: d.MaxPDU, SecuritySetup: SecurityName,
		},
	}, nil
}

var conformance = map[string]cosem.Conformance{
	"general-protection": cosem.ConfGeneralProtection, "general-block-transfer": cosem.ConfGeneralBlockTransfer,
	"attribute0-supported-with-set": cosem.ConfAttribute0Set, "priority-mgmt-supported": cosem.ConfPriority,
	"attribute0-supported-with-get": cosem.ConfAttribute0Get, "block-transfer-with-get": cosem.ConfBlockTransferGet,
	"block-transfer-with-set": cosem.ConfBlockTransferSet, "block-transfer-with-action": cosem.ConfBlockTransferAction,
	"multiple-references": cosem.ConfMultipleReferences, "data-notification": cosem.ConfDataNotification,
	"access": cosem.ConfAccess, "get": cosem.ConfGet, "set": cosem.ConfSet,
	"selective-access": cosem.ConfSelectiveAccess, "event-notification": cosem.ConfEventNotification, "action": cosem.ConfAction,
}

// A Holder is the state of a model: it leads to the unit.
type Holder interface{ Core() *Unit }

func of(c *server.Call) *Unit { return c.Device.State.(Holder).Core() }

// Objects are what every device has, of a make. firmware is the logical name of its version.
func Objects(firmware cosem.OBIS, d *profile.Device) []server.Object {
	word := func(name cosem.OBIS, f func(*Unit) string) server.Object {
		return server.Data(name, server.Value{Access: Private, Get: server.Text(func(c *server.Call) string { return f(of(c)) })})
	}
	return []server.Object{
		server.LogicalDeviceName(Public, func(c *server.Call) string { return of(c).LogicalName() }),
		server.SAPAssignment(Public, func(c *server.Call) []server.SAP {
			u := of(c)
			return []server.SAP{{SAP: u.Make.DLMS.LogicalDevice, Name: u.LogicalName()}}
		}),
		word(SerialName, func(u *Unit) string { return u.Serial }),
		word(ManufacturerName, func(u *Unit) string { return u.Make.Manufacturer }),
		word(ModelName, func(u *Unit) string { return u.Make.Model }),
		word(HardwareName, func(u *Unit) string { return fmt.Sprint(u.Make.Hardware) }),
		word(firmware, func(u *Unit) string { return u.image.Running() }),
		word(ImageReasonName, func(u *Unit) string { return u.image.Reason() }),
		server.Data(EUIName, server.Value{Access: Private, Get: server.Octets(func(c *server.Call) []byte { return of(c).EUI[:] })}),
		server.Clock(ClockName, server.ClockConfig{
			Access: PublicManaged,
			Time: func(c *server.Call) axdr.DateTime {
				u := of(c)
				d := axdr.DateTimeOf(u.clock.Now(c.Now))
				if !u.clock.Reliable(c.Now) {
					d.Status |= axdr.ClockDoubtful
				}
				return d
			},
			// The clock shows standard time; these tell when the wall clock is another (published,
			// the Summer Time Order 2002): the last Sunday of March and of October, 01:00 UTC.
			Begin: lastSunday(3), End: lastSunday(10),
			SetTime: func(c *server.Call, d axdr.DateTime) error {
				t, err := d.In(time.UTC)
				if err != nil {
					return cosem.TypeUnmatched
				}
				of(c).SetClock(c.Now, t)
				return nil
			},
			Shift: func(c *server.Call, by time.Duration) error {
				u := of(c)
				u.SetClock(c.Now, u.clock.Now(c.Now).Add(by))
				return nil
			},
		}),
		server.Register(OperationName, server.Value{Access: Private, Get: server.Uint32(func(c *server.Call) uint32 {
			return uint32(max(c.Now.Sub(of(c).Start)/time.Second, 0))
		})}, server.ScalerUnit{Unit: cosem.UnitSecond}, server.Method{}),
		server.SecuritySetup(SecurityName, Managed),
		keyChange(),
		server.InvocationCounter(0, Public, func(c *server.Call) uint32 { return of(c).keys.RxHighest() }),
		server.ImageTransfer(Managed, func(c *server.Call) server.ImageBank { return &of(c).image }),
		server.Data(EventName, server.Value{Access: Private, Get: server.Uint16(func(c *server.Call) uint16 {
			if e := of(c).log.Entries(); len(e) > 0 {
				return uint16(e[len(e)-1].Code)
			}
			return 0
		})}),
		eventLog(LogName, d.Logs.Events, func(u *Unit) *Log { return &u.log }),
		eventLog(SecurityLogName, d.Logs.Security, func(u *Unit) *Log { return &u.secure }),
	}
}

// eventLog declares a log of events. That it was cleared is an entry of the security log.
func eventLog(name cosem.OBIS, size int, log func(*Unit) *Log) server.Object {
	if size == 0 {
		size = LogSize
	}
	return server.Profile(name, server.ProfileConfig{
		Access: Private, Capacity: uint32(size), Restrictors: Restrictors,
		Columns: []server.Column{ClockColumn, {Attribute: cosem.Attribute{Class: cosem.ClassData, Instance: EventName, ID: 2}}},
		Rows:    func(c *server.Call) server.Rows { return logRows(log(of(c)).Entries()) },
		Reset: server.Method{Access: Run, Do: server.Zero(func(c *server.Call) error {
			u := of(c)
			log(u).Clear()
			u.secure.Add(u.clock.Now(c.Now), EventLogCleared, u.Make.Logs.Security)
			u.touch()
			return nil
		})},
	})
}

// lastSunday of a month, at 01:00, as the Blue Book writes it: day FE is the last, on
// or before which weekday 7 falls.
func lastSunday(month uint8) axdr.DateTime {
	d := axdr.UnspecifiedDateTime
	d.Date.Month, d.Date.Day, d.Date.Weekday = month, 0xFE, 7
	d.Time = axdr.Time{Hour: 1}
	return d
}

func keyChange() server.Object {
	o := server.KeyChange(Managed)
	o.Instance = KeyChangeName
	return o
}

// SetClock sets the device's clock at a true time and logs it, under the old time.
func (u *Unit) SetClock(now, t time.Time) {
	u.Event(now, EventClockAdjusted)
	u.clock.Set(now, t)
	u.touch()
}

type logRows []Entry

func (l logRows) Len(*server.Call) int { return len(l) }

func (l logRows) Time(_ *server.Call, i int) time.Time { return time.Unix(l[i].At, 0).UTC() }

func (l logRows) Append(c *server.Call, i, column int, dst []byte) ([]byte, error) {
	if column == 0 {
		return axdr.AppendDateTime(dst, axdr.DateTimeOf(l.Time(c, i))), nil
	}
	return axdr.AppendUint16(dst, uint16(l[i].Code)), nil
}
