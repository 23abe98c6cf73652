package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// Secret is a password. It cannot be compared with == and prints as [redacted].
type Secret struct {
	_ [0]func()
	s string
}

// Reveal gives the password, to be handed to what needs it.
func (s Secret) Reveal() string { return s.s }

func (Secret) String() string               { return "[redacted]" }
func (Secret) GoString() string             { return "[redacted]" }
func (Secret) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte("[redacted]")) }
func (Secret) LogValue() slog.Value         { return slog.StringValue("[redacted]") }
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// ReadSecret reads a password from a file of one line that nobody else may read.
func ReadSecret(path string) (Secret, error) {
	if err := CheckSecret(path); err != nil {
		return Secret{}, fmt.Errorf("password: %w", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return Secret{}, fmt.Errorf("password: %w", err)
	}
	s := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if s == "" || strings.ContainsAny(s, "\r\n") {
		return Secret{}, fmt.Errorf("password: %s: it must have one line", path)
	}
	return Secret{s: s}, nil
}

// Server is the TLS of a listener; nil where nothing is set.
func (t TLS) Server() (*tls.Config, error) {
	if t.IsZero() {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		if c.ClientCAs, err = pool(t.CA); err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, nil
}

// Client is the TLS towards a broker; nil where nothing is set, which means the
// system's authorities.
func (t TLS) Client() (*tls.Config, error) {
	if t.IsZero() {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.Cert != "" {
		cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	if t.CA != "" {
		var err error
		if c.RootCAs, err = pool(t.CA); err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
	}
	return c, nil
}

// Self is the TLS of this process as a client of its own listener: it takes the
// listener's own certificate, whatever names stand in it, and no other.
func Self(server *tls.Config) *tls.Config {
	if server == nil {
		return nil
	}
	own := server.Certificates[0].Certificate[0]
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		Certificates:       server.Certificates, // where clients must show one
		InsecureSkipVerify: true,                // the check below takes its place
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			if len(raw) == 0 || string(raw[0]) != string(own) {
				return fmt.Errorf("tls: another listener answers in place of this process's own")
			}
			return nil
		},
	}
}
