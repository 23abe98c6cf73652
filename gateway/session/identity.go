package session

import (
	"context"
	"errors"
	"fmt"

	"smets1/dlms/client"
	"smets1/internal/wire"
)

// Who is at the other end is asked, and not taken from the address: a port may lead to another hub than yesterday. It is
// asked twice. A hub that has another name than the one that once proved itself is left at once. And no association
// under its keys is handed out before it has said that it has the EUI-64 of the configuration: labs have hubs that share
// their keys.

// sameName compares the name that the hub has just told with that of the hub that proved itself earlier.
func (s *Session) sameName() error {
	if s.known == "" || s.known == s.name {
		return nil
	}
	name := s.name
	s.Close()
	return fmt.Errorf("session: hub %s at %s: it calls itself %q, and the hub that was there %q: %w", s.hub.EUI, s.hub.Address, name, s.known, ErrWrongDevice)
}

// prove asks the hub for its EUI-64, once for each line. It closes the line if the answer is another. A hub that does not
// tell, as not all makes do, has proved itself by its keys, and by its system title where that is known.
func (s *Session) prove(ctx context.Context, a *Association) error {
	if a.Device != s.hub.EUI || s.proven {
		return nil
	}
	b, err := a.GetBytes(ctx, value(NameEUI))
	if _, untold := errors.AsType[*client.AccessError](err); untold {
		err, b = nil, s.hub.EUI[:]
	}
	switch {
	case err != nil:
		return s.failed(err)
	case len(b) != len(s.hub.EUI) || wire.EUI64(b) != s.hub.EUI:
		s.Close()
		return fmt.Errorf("session: hub %s at %s: it says it is % X: %w", s.hub.EUI, s.hub.Address, b, ErrWrongDevice)
	}
	s.proven, s.known = true, s.name
	return nil
}
