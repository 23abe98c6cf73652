package keystore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"smets1/dlms/security"
	"smets1/firmware"
	"smets1/internal/wire"
)

// Generation names one of a device's key sets.
type Generation string

// The generations.
const (
	Pending  Generation = "pending"
	Current  Generation = "current"
	Previous Generation = "previous"
)

// Set is the keys of one device at one time.
type Set struct {
	Owner   string // whose keys they are
	Version uint32 // counts the changes of the device's keys
	Made    time.Time
	Proven  time.Time // when it last opened the device; zero: not known to
	Keys    security.KeySet
}

// Fingerprint names a set without giving it away: 16 hexadecimal digits of a
// SHA-256 over the fingerprints of its keys.
func (s Set) Fingerprint() string {
	h := sha256.New()
	for _, k := range []security.Key{s.Keys.GUEK, s.Keys.GBEK, s.Keys.GAK, s.Keys.KEK} {
		h.Write([]byte(k.Fingerprint() + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Generate makes a set of fresh keys for suite 0: GUEK, GAK and KEK.
func Generate(random io.Reader, owner string, version uint32, now time.Time) (Set, error) {
	s := Set{Owner: owner, Version: version, Made: now}
	for _, k := range []*security.Key{&s.Keys.GUEK, &s.Keys.GAK, &s.Keys.KEK} {
		var err error
		if *k, err = security.GenerateKey(random, security.Suite0); err != nil {
			return Set{}, err
		}
	}
	return s, nil
}

// Device is what the store knows of a device. A generation it lacks is nil.
type Device struct {
	EUI      wire.EUI64
	Type     firmware.DeviceType
	Title    security.SystemTitle // of the device; zero if not known
	Pending  *Set
	Current  *Set
	Previous *Set
}

// Set gives a generation, nil if there is none.
func (d *Device) Set(g Generation) *Set {
	switch g {
	case Pending:
		return d.Pending
	case Current:
		return d.Current
	case Previous:
		return d.Previous
	}
	return nil
}

// Find gives the generation that has the fingerprint; ok is false if none has.
// If two have it, as while a previous set is being restored, pending counts
// before current and current before previous.
func (d *Device) Find(fingerprint string) (g Generation, ok bool) {
	for _, g := range []Generation{Pending, Current, Previous} {
		if s := d.Set(g); s != nil && s.Fingerprint() == fingerprint {
			return g, true
		}
	}
	return "", false
}

// sealedDevice and sealedSet are the JSON inside a box. Keys are written here
// and nowhere else.
type sealedDevice struct {
	EUI      wire.EUI64           `json:"eui"`
	Type     firmware.DeviceType  `json:"type"`
	Title    security.SystemTitle `json:"title"`
	Pending  *sealedSet           `json:"pending,omitempty"`
	Current  *sealedSet           `json:"current,omitempty"`
	Previous *sealedSet           `json:"previous,omitempty"`
}

type sealedSet struct {
	Owner   string    `json:"owner"`
	Version uint32    `json:"version"`
	Made    time.Time `json:"made"`
	Proven  time.Time `json:"proven,omitzero"`
	GUEK    string    `json:"guek"`
	GBEK    string    `json:"gbek,omitempty"`
	GAK     string    `json:"gak"`
	KEK     string    `json:"kek"`
}

func (d *Device) plain() sealedDevice {
	return sealedDevice{d.EUI, d.Type, d.Title, d.Pending.plain(), d.Current.plain(), d.Previous.plain()}
}

func (s *Set) plain() *sealedSet {
	if s == nil {
		return nil
	}
	reveal := func(k security.Key) string { return hex.EncodeToString(k.Reveal()) }
	return &sealedSet{
		s.Owner, s.Version, s.Made, s.Proven,
		reveal(s.Keys.GUEK), reveal(s.Keys.GBEK), reveal(s.Keys.GAK), reveal(s.Keys.KEK),
	}
}

func (d sealedDevice) device() (Device, error) {
	v := Device{EUI: d.EUI, Type: d.Type, Title: d.Title}
	for _, g := range []struct {
		from *sealedSet
		to   **Set
	}{{d.Pending, &v.Pending}, {d.Current, &v.Current}, {d.Previous, &v.Previous}} {
		if g.from == nil {
			continue
		}
		s, err := g.from.set()
		if err != nil {
			return Device{}, err
		}
		*g.to = &s
	}
	return v, nil
}

func (s *sealedSet) set() (Set, error) {
	v := Set{Owner: s.Owner, Version: s.Version, Made: s.Made, Proven: s.Proven}
	for _, k := range []struct {
		name, from string
		to         *security.Key
		optional   bool
	}{
		{"guek", s.GUEK, &v.Keys.GUEK, false},
		{"gbek", s.GBEK, &v.Keys.GBEK, true},
		{"gak", s.GAK, &v.Keys.GAK, false},
		{"kek", s.KEK, &v.Keys.KEK, false},
	} {
		if k.from == "" && k.optional {
			continue
		}
		key, err := security.ParseKey(k.from)
		if err != nil {
			return Set{}, fmt.Errorf("%s: %w", k.name, err)
		}
		*k.to = key
	}
	return v, nil
}
