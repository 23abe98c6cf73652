package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"smets1/device/fleet"
)

// controlAddress is where serve is spoken to if nothing else is said.
const controlAddress = "127.0.0.1:4057"

// controlHeader is on every request. No page in a browser can send it to another
// origin unasked, so that none can meddle with the homes.
const controlHeader = "Smets1-Control"

// controlStatus is what serve tells of itself.
type controlStatus struct {
	Fleet   string       `json:"fleet"`
	Time    time.Time    `json:"time"`
	Clock   string       `json:"clock"` // step, max, machine or a factor
	Gateway string       `json:"gateway,omitempty"`
	Counts  fleet.Counts `json:"counts"`
}

// controlHome is a home as it is on file and as it is now.
type controlHome struct {
	Entry  fleet.Entry  `json:"entry"`
	Status fleet.Status `json:"status"`
	Time   time.Time    `json:"time"`
}

// controlStep is by how much the time is to move.
type controlStep struct {
	For   string    `json:"for,omitempty"` // a duration
	Until time.Time `json:"until,omitzero"`
}

// listenControl opens the address where serve takes orders. It is on this machine only:
// who reaches it can read the keys of the homes.
func listenControl(ctx context.Context, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("control: %w: another fleet may be running; give this one another address by --control, or none by --control ''", err)
	}
	if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return nil, errors.Join(usageError{fmt.Errorf("--control %s: give an address of 127.0.0.0/8 or ::1", address)}, l.Close())
	}
	return l, nil
}

func (s *serving) handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, do func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get(controlHeader) == "" {
				http.Error(w, "send the header "+controlHeader+": 1", http.StatusForbidden)
				return
			}
			v, err := do(r)
			if err != nil {
				code := http.StatusBadRequest
				if errors.Is(err, fleet.ErrNoHome) {
					code = http.StatusNotFound
				}
				http.Error(w, err.Error(), code)
				return
			}
			if b, ok := v.([]byte); ok {
				w.Header().Set("Content-Type", "application/octet-stream")
				_, _ = w.Write(b)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(v) // a client that is gone does not mind
		})
	}
	handle("GET /status", func(*http.Request) (any, error) { return s.status(), nil })
	handle("GET /home/{name}", func(r *http.Request) (any, error) { return s.home(r.PathValue("name")) })
	handle("POST /home/{name}/wake", func(r *http.Request) (any, error) { return s.wake(r.Context(), r.PathValue("name")) })
	handle("GET /home/{name}/display", func(r *http.Request) (any, error) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		return s.fleet.Screen(r.PathValue("name"))
	})
	handle("POST /home/{name}/press", func(r *http.Request) (any, error) {
		var p fleet.Press
		if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<10)).Decode(&p); err != nil {
			return nil, err
		}
		s.mu.RLock()
		defer s.mu.RUnlock()
		return s.fleet.Press(r.PathValue("name"), p)
	})
	handle("POST /home/{name}/vend", func(r *http.Request) (any, error) {
		var v controlVend
		if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<10)).Decode(&v); err != nil {
			return nil, err
		}
		s.mu.RLock()
		defer s.mu.RUnlock()
		return s.fleet.Vend(r.PathValue("name"), v.Device, v.Token)
	})
	handle("POST /step", func(r *http.Request) (any, error) {
		var step controlStep
		if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<10)).Decode(&step); err != nil {
			return nil, err
		}
		return s.step(r.Context(), step)
	})
	handle("GET /snapshot", func(*http.Request) (any, error) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		var b bytes.Buffer
		err := s.fleet.Snapshot(&b)
		return b.Bytes(), err
	})
	handle("POST /snapshot", func(r *http.Request) (any, error) {
		snap, err := fleet.ReadSnapshot(r.Body)
		if err != nil {
			return nil, err
		}
		if err := s.exchange(snap); err != nil {
			return nil, err
		}
		return s.status(), nil
	})
	return mux
}

// control asks a running serve for something and decodes its answer into v, which is a
// *[]byte for octets.
func control(ctx context.Context, address, method, path string, body io.Reader, v any) error {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, body)
	if err != nil {
		return usageError{fmt.Errorf("--control %q: %w", address, err)}
	}
	r.Header.Set(controlHeader, "1")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) && ctx.Err() == nil {
			err = fmt.Errorf("%w: is smets1 fleet serve running, with that --control?", u.Err)
		}
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", bytes.TrimSpace(b))
	}
	if raw, ok := v.(*[]byte); ok {
		*raw = b
		return nil
	}
	return json.Unmarshal(b, v)
}
