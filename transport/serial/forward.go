package serial

// WithLines gives a decorated port the control lines and the break of the port below, where that has them.
func WithLines(decorated, below Port) Port {
	modem, isModem := below.(ModemLines)
	breaker, isBreaker := below.(Breaker)
	switch {
	case isModem && isBreaker:
		return struct {
			Port
			ModemLines
			Breaker
		}{decorated, modem, breaker}
	case isModem:
		return struct {
			Port
			ModemLines
		}{decorated, modem}
	case isBreaker:
		return struct {
			Port
			Breaker
		}{decorated, breaker}
	}
	return decorated
}
