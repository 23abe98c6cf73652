package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// notifier tells systemd how the service is (sd_notify(3)): datagrams of
// NAME=VALUE lines to the socket that NOTIFY_SOCKET names, where a leading @
// stands for the abstract namespace.
type notifier struct {
	conn     net.Conn      // nil without systemd
	watchdog time.Duration // how often it wants to hear; zero means never
}

func newNotifier(getenv func(string) string) (*notifier, error) {
	n := &notifier{}
	socket := getenv("NOTIFY_SOCKET")
	if socket == "" {
		return n, nil
	}
	// The package net writes the leading @ as the zero octet itself.
	conn, err := net.Dial("unixgram", socket)
	if err != nil {
		return nil, fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	n.conn = conn
	if pid := getenv("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		if us, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 {
			n.watchdog = time.Duration(us) * time.Microsecond
		}
	}
	return n, nil
}

// send tells a state. What systemd does not hear it misses by its own timeouts.
func (n *notifier) send(state string) {
	if n.conn != nil {
		_, _ = n.conn.Write([]byte(state))
	}
}
