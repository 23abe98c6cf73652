package zdp

import (
	"errors"
	"fmt"

	"smets1/internal/wire"
	"smets1/zigbee/internal/field"
)

// Profile and Endpoint are where the device profile lives.
const (
	Profile  uint16 = 0x0000
	Endpoint uint8  = 0
)

// Cluster is a command of the device profile.
type Cluster uint16

// The clusters of requests; those of responses are the same with ResponseBit.
const (
	ClusterNetworkAddress       Cluster = 0x0000
	ClusterIEEEAddress          Cluster = 0x0001
	ClusterNodeDescriptor       Cluster = 0x0002
	ClusterPowerDescriptor      Cluster = 0x0003
	ClusterSimpleDescriptor     Cluster = 0x0004
	ClusterActiveEndpoints      Cluster = 0x0005
	ClusterMatchDescriptor      Cluster = 0x0006
	ClusterDeviceAnnounce       Cluster = 0x0013
	ClusterParentAnnounce       Cluster = 0x001F
	ClusterBind                 Cluster = 0x0021
	ClusterUnbind               Cluster = 0x0022
	ClusterManagementLQI        Cluster = 0x0031
	ClusterManagementRouting    Cluster = 0x0032
	ClusterManagementBind       Cluster = 0x0033
	ClusterManagementLeave      Cluster = 0x0034
	ClusterManagementPermitJoin Cluster = 0x0036
	ClusterManagementUpdate     Cluster = 0x0038

	ResponseBit Cluster = 0x8000
)

// Status is the result of a request (ZigBee specification, table 2-128; published). It is an error when it is not zero.
type Status uint8

// The results.
const (
	StatusSuccess            Status = 0x00
	StatusInvalidRequestType Status = 0x80
	StatusDeviceNotFound     Status = 0x81
	StatusInvalidEndpoint    Status = 0x82
	StatusNotActive          Status = 0x83
	StatusNotSupported       Status = 0x84
	StatusTimeout            Status = 0x85
	StatusNoMatch            Status = 0x86
	StatusNoEntry            Status = 0x88
	StatusNoDescriptor       Status = 0x89
	StatusInsufficientSpace  Status = 0x8A
	StatusNotPermitted       Status = 0x8B
	StatusTableFull          Status = 0x8C
	StatusNotAuthorized      Status = 0x8D
	StatusBindingTableFull   Status = 0x8E
	StatusInvalidIndex       Status = 0x8F
)

var statusText = map[Status]string{
	StatusSuccess:            "SUCCESS",
	StatusInvalidRequestType: "INV_REQUESTTYPE: the request type is none of this command",
	StatusDeviceNotFound:     "DEVICE_NOT_FOUND: the device asked about is neither this one nor a child of it",
	StatusInvalidEndpoint:    "INVALID_EP: endpoints are 1 to 254",
	StatusNotActive:          "NOT_ACTIVE: the endpoint has no simple descriptor",
	StatusNotSupported:       "NOT_SUPPORTED: the device does not do this",
	StatusTimeout:            "TIMEOUT: the operation took too long",
	StatusNoMatch:            "NO_MATCH: no endpoint matches",
	StatusNoEntry:            "NO_ENTRY: there is no such binding",
	StatusNoDescriptor:       "NO_DESCRIPTOR: the child's descriptor is not known",
	StatusInsufficientSpace:  "INSUFFICIENT_SPACE: no room",
	StatusNotPermitted:       "NOT_PERMITTED: not allowed in the device's present state",
	StatusTableFull:          "TABLE_FULL: no room for another entry",
	StatusNotAuthorized:      "NOT_AUTHORIZED: the trust centre's or the device's policy refuses it",
	StatusBindingTableFull:   "DEVICE_BINDING_TABLE_FULL: no room for another binding",
	StatusInvalidIndex:       "INVALID_INDEX: the list is shorter",
}

// Error names the result and says what it means.
func (s Status) Error() string {
	if t, ok := statusText[s]; ok {
		return "zdp: " + t
	}
	return fmt.Sprintf("zdp: status %02X (reserved)", uint8(s))
}

// ErrCluster: a command that this package does not know; answer NOT_SUPPORTED.
var ErrCluster = errors.New("unknown device profile command")

// Command is one command without its sequence number.
type Command interface {
	// Cluster is the APS cluster that carries the command.
	Cluster() Cluster
	// AppendBinary appends the fields behind the sequence number.
	AppendBinary(b []byte) ([]byte, error)
}

// described is what the commands have besides.
type described[T any] interface {
	*T
	fields(c *field.Coder)
}

func write[T any, P described[T]](b []byte, m P) ([]byte, error) {
	c := field.Writer(b)
	m.fields(&c)
	return c.Appended()
}

func read[T any, P described[T]](b []byte) (Command, int, error) {
	var m T
	c := field.Reader(b)
	P(&m).fields(&c)
	n, err := c.Taken()
	return any(m).(Command), n, err
}

// statusOnly tells that a response which reports a failure ends with its status, as some stacks leave the rest out.
func statusOnly(c *field.Coder, s Status) bool {
	return !c.Writing() && s != StatusSuccess && c.Left() == 0
}

var readers = map[Cluster]func([]byte) (Command, int, error){
	ClusterNetworkAddress:                     read[NetworkAddressRequest],
	ClusterIEEEAddress:                        read[IEEEAddressRequest],
	ClusterNodeDescriptor:                     read[NodeDescriptorRequest],
	ClusterPowerDescriptor:                    read[PowerDescriptorRequest],
	ClusterSimpleDescriptor:                   read[SimpleDescriptorRequest],
	ClusterActiveEndpoints:                    read[ActiveEndpointsRequest],
	ClusterMatchDescriptor:                    read[MatchDescriptorRequest],
	ClusterDeviceAnnounce:                     read[DeviceAnnounce],
	ClusterParentAnnounce:                     read[ParentAnnounce],
	ClusterBind:                               read[BindRequest],
	ClusterUnbind:                             read[UnbindRequest],
	ClusterManagementLQI:                      read[ManagementLQIRequest],
	ClusterManagementRouting:                  read[ManagementRoutingRequest],
	ClusterManagementBind:                     read[ManagementBindRequest],
	ClusterManagementLeave:                    read[ManagementLeaveRequest],
	ClusterManagementPermitJoin:               read[ManagementPermitJoinRequest],
	ClusterManagementUpdate:                   read[ManagementUpdateRequest],
	ResponseBit | ClusterNetworkAddress:       read[NetworkAddressResponse],
	ResponseBit | ClusterIEEEAddress:          read[IEEEAddressResponse],
	ResponseBit | ClusterNodeDescriptor:       read[NodeDescriptorResponse],
	ResponseBit | ClusterPowerDescriptor:      read[PowerDescriptorResponse],
	ResponseBit | ClusterSimpleDescriptor:     read[SimpleDescriptorResponse],
	ResponseBit | ClusterActiveEndpoints:      read[ActiveEndpointsResponse],
	ResponseBit | ClusterMatchDescriptor:      read[MatchDescriptorResponse],
	ResponseBit | ClusterParentAnnounce:       read[ParentAnnounceResponse],
	ResponseBit | ClusterBind:                 read[BindResponse],
	ResponseBit | ClusterUnbind:               read[UnbindResponse],
	ResponseBit | ClusterManagementLQI:        read[ManagementLQIResponse],
	ResponseBit | ClusterManagementRouting:    read[ManagementRoutingResponse],
	ResponseBit | ClusterManagementBind:       read[ManagementBindResponse],
	ResponseBit | ClusterManagementLeave:      read[ManagementLeaveResponse],
	ResponseBit | ClusterManagementPermitJoin: read[ManagementPermitJoinResponse],
	ResponseBit | ClusterManagementUpdate:     read[ManagementUpdateNotify],
}

// Append appends the APS payload: sequence number and command.
func Append(b []byte, sequence uint8, m Command) ([]byte, error) {
	return m.AppendBinary(append(b, sequence))
}

// Parse reads the APS payload of a cluster. Trailing octets, which later revisions may add, are left: n tells.
func Parse(cluster Cluster, b []byte) (sequence uint8, m Command, n int, err error) {
	if len(b) < 1 {
		return 0, nil, 0, fmt.Errorf("zdp: empty payload: %w", wire.ErrTruncated)
	}
	f := readers[cluster]
	if f == nil {
		return b[0], nil, 1, fmt.Errorf("zdp: cluster %04X: %w", uint16(cluster), ErrCluster)
	}
	m, n, err = f(b[1:])
	if err != nil {
		return b[0], nil, 1 + n, fmt.Errorf("zdp: cluster %04X: %w", uint16(cluster), err)
	}
	return b[0], m, 1 + n, nil
}
