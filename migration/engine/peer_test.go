package engine

import "smets1/internal/wire"

// peerHub is a hub of a test that speaks to nobody.
var peerHub = wire.MustEUI64("00-DB-12-34-56-78-90-A0")
