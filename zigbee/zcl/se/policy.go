package se

// Protection is the security that a cluster's frames need at the APS layer.
type Protection uint8

// The levels.
const (
	// NetworkKey: secured at the network layer is enough.
	NetworkKey Protection = iota
	// LinkKey: secured with the link key that key establishment made, never with that of the install code.
	LinkKey
)

// Protect says what frames of a cluster need (Smart Energy 1.4, table 5-12; published): everything a link key, but for
// the clusters without which a device could not come to have one. The rows of Power Configuration and Keep-Alive are
// recalled. A frame that lacks it is answered with a default response FAILURE.
func Protect(c Cluster) Protection {
	switch c {
	case Basic, PowerConfiguration, Identify, Time, KeepAlive, KeyEstablishment:
		return NetworkKey
	default:
		return LinkKey
	}
}
