package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"smets1/dlms/security"
	"smets1/gateway/broker"
	"smets1/gateway/keystore"
	"smets1/internal/store"
)

// What lies in a state folder.
const (
	stateBroker   = "nats"
	stateRoot     = "root.key"
	stateSalt     = "root.salt" // of a passphrase
	stateFirmware = "firmware"
	stateLines    = "tty"
)

// State is the folder of everything that lasts. One process at a time has it.
type State struct {
	Dir    string
	Broker *broker.Broker
	Store  store.Store
	Root   security.Key
}

// Root says where the root key is: in a file, in an environment variable, derived
// from the passphrase in a file, or, with all empty, in the state folder.
type Root struct{ File, Env, Passphrase string }

// Key reads the root key of a state folder.
func (r Root) Key(dir string) (security.Key, error) { return r.key(dir) }

func (r Root) key(dir string) (security.Key, error) {
	switch {
	case r.Env != "":
		return keystore.RootEnv(r.Env)
	case r.File != "":
		return keystore.RootFile(r.File)
	case r.Passphrase != "":
		return keystore.RootPassphrase(r.Passphrase, filepath.Join(dir, stateSalt))
	default:
		return keystore.RootFile(filepath.Join(dir, stateRoot))
	}
}

// CreateState opens a state folder, and makes it if need be. The broker's own
// folder is filled in.
func CreateState(ctx context.Context, dir string, root Root, b broker.Config) (*State, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state folder: %w", err)
	}
	s := &State{Dir: dir}
	b.StateDir = filepath.Join(dir, stateBroker)
	var err error
	if s.Broker, err = broker.Start(ctx, b); err != nil {
		return nil, err
	}
	if s.Store, err = s.Broker.Store(); err == nil {
		s.Root, err = root.key(dir)
	}
	if err != nil {
		return nil, errors.Join(err, s.Broker.Close())
	}
	return s, nil
}

// OpenState opens a state folder that a daemon or demo made, without a listener,
// for commands that look into it while none of those runs.
func OpenState(ctx context.Context, dir string, root Root, log *slog.Logger) (*State, error) {
	if _, err := os.Stat(filepath.Join(dir, stateBroker)); err != nil {
		return nil, fmt.Errorf("%s is no state folder of smets1d or smets1 demo: %w", dir, err)
	}
	return CreateState(ctx, dir, root, broker.Config{StateOnly: true, Log: log})
}

// WithStore opens the records of a state folder alone, without the root key, for as long as f runs. Records that are sealed stay so. With
// begin the folder is made if there is none.
func WithStore(ctx context.Context, dir string, begin bool, log *slog.Logger, f func(store.Store) error) (err error) {
	if _, err := os.Stat(filepath.Join(dir, stateBroker)); err != nil && !begin {
		return fmt.Errorf("%s is no state folder of smets1d or smets1 demo: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	b, err := broker.Start(ctx, broker.Config{StateOnly: true, Log: log, StateDir: filepath.Join(dir, stateBroker)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	s, err := b.Store()
	if err != nil {
		return err
	}
	return f(s)
}

// BeginState is OpenState, and makes the folder if there is none yet.
func BeginState(ctx context.Context, dir string, root Root, log *slog.Logger) (*State, error) {
	return CreateState(ctx, dir, root, broker.Config{StateOnly: true, Log: log})
}

// Close gives the folder back.
func (s *State) Close() error { return s.Broker.Close() }

// FirmwareDir is where the library of images is.
func (s *State) FirmwareDir() string { return filepath.Join(s.Dir, stateFirmware) }

// LinesDir is where the serial lines of virtual homes are, if nowhere else.
func (s *State) LinesDir() string { return filepath.Join(s.Dir, stateLines) }

// Keys opens the key store of the folder.
func (s *State) Keys(ctx context.Context) (*keystore.Store, error) {
	c, err := s.KeysConfig(ctx)
	if err != nil {
		return nil, err
	}
	return keystore.Open(ctx, c)
}

// KeysConfig says where the key store of the folder is.
func (s *State) KeysConfig(ctx context.Context) (keystore.Config, error) {
	b, err := s.Store.Bucket(ctx, "keys", store.Options{Sync: true})
	return keystore.Config{Bucket: b, Root: s.Root}, err
}

// RootPath is where the root key is if it is nowhere else.
func (s *State) RootPath() string { return filepath.Join(s.Dir, stateRoot) }
