package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"text/tabwriter"
	"time"

	"smets1/cmd/internal/config"
	"smets1/cmd/internal/lab"
	"smets1/gateway/audit"
	"smets1/gateway/keystore"
	"smets1/gateway/topic"
	"smets1/internal/clock"
	"smets1/internal/wire"
)

func now() time.Time { return clock.Real().Now() }

func parseDevice(s string) (wire.EUI64, error) {
	e, err := wire.ParseEUI64(s)
	if err != nil {
		return e, usageError{fmt.Errorf("device %q: %w", s, err)}
	}
	return e, nil
}

// record adds a line to the audit of a state folder and has it on disk when it returns: who did what with keys, and no key.
func record(st *lab.State, action string, device wire.EUI64, note string) error {
	log, err := audit.Open(filepath.Join(st.Dir, audit.FileName))
	if err != nil {
		return err
	}
	e := audit.Entry{Time: now(), Action: action, Who: userName(), Note: note}
	if !device.IsZero() {
		e.Device = topic.DeviceEUI(device)
	}
	return errors.Join(log.Append(e, true), log.Close())
}

// userName is who runs this program, as far as the machine knows.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	if u := os.Getenv("USER"); u != "" {
		return u
	}
	return "unknown"
}

func exportKeys(ctx context.Context, w io.Writer, st *lab.State, keys *keystore.Store, eui wire.EUI64, out string) error {
	d, err := keys.Get(ctx, eui)
	if err != nil {
		return fmt.Errorf("device %s: %w", eui, err)
	}
	if d.Current == nil {
		return fmt.Errorf("device %s has no current keys", eui)
	}
	if _, err := os.Lstat(out); err == nil {
		return usageError{fmt.Errorf("%s is there already: name another file", out)}
	}
	// The counter is used up here, so that this store never uses it.
	counter, err := keys.Counter(*d.Current).Next(ctx)
	if err != nil {
		return err
	}
	if err := record(st, "keys.export", eui, fmt.Sprintf("owner %s, key version %d, fingerprint %s, invocation counter %d, to %s",
		d.Current.Owner, d.Current.Version, d.Current.Fingerprint(), counter, out)); err != nil {
		return fmt.Errorf("nothing was exported: %w", err)
	}
	h := keystore.Handover{Owner: d.Current.Owner, Devices: []keystore.HandoverDevice{
		{EUI: d.EUI, Type: d.Type, Title: d.Title, Version: d.Current.Version, Keys: d.Current.Keys, Counter: counter},
	}}
	err = writeFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600, func(f io.Writer) error { return keystore.WriteHandover(f, h) })
	if errors.Is(err, fs.ErrExist) {
		return usageError{fmt.Errorf("%s is there already: name another file", out)}
	}
	if err == nil {
		fmt.Fprintf(w, "%s: keys of %s, version %d, fingerprint %s\n", out, eui, d.Current.Version, d.Current.Fingerprint())
	}
	return err
}

var generations = []keystore.Generation{keystore.Current, keystore.Pending, keystore.Previous}

func listKeys(ctx context.Context, out io.Writer, keys *keystore.Store, asJSON bool) error {
	all, err := keys.List(ctx)
	if err != nil {
		return err
	}
	e := json.NewEncoder(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(w, "DEVICE\tTYPE\tGENERATION\tOWNER\tVERSION\tFINGERPRINT\tMADE\tLAST OPENED IT")
	}
	for _, d := range all {
		for _, g := range generations {
			set := d.Set(g)
			if set == nil {
				continue
			}
			if !asJSON {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", d.EUI, d.Type, g, set.Owner, set.Version, set.Fingerprint(), stamp(set.Made), stamp(set.Proven))
				continue
			}
			if err := e.Encode(struct {
				Device      wire.EUI64          `json:"device"`
				Type        string              `json:"type"`
				Title       string              `json:"system_title,omitempty"`
				Generation  keystore.Generation `json:"generation"`
				Owner       string              `json:"owner"`
				Version     uint32              `json:"key_version"`
				Fingerprint string              `json:"fingerprint"`
				Made        time.Time           `json:"made,omitzero"`
				Proven      time.Time           `json:"proven,omitzero"`
			}{d.EUI, d.Type.String(), title(d), g, set.Owner, set.Version, set.Fingerprint(), set.Made, set.Proven}); err != nil {
				return err
			}
		}
	}
	return w.Flush()
}

func title(d keystore.Device) string {
	if d.Title.IsZero() {
		return ""
	}
	return d.Title.String()
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format(time.RFC3339)
}

// checkKeys looks for what is not in order in a store.
func checkKeys(ctx context.Context, w io.Writer, keys *keystore.Store, cfg *config.Config) error {
	all, err := keys.List(ctx) // opens every record
	if err != nil {
		return err
	}
	findings, unproven := 0, 0
	has := map[wire.EUI64]bool{}
	for _, d := range all {
		has[d.EUI] = true
		switch {
		case d.Current == nil:
			findings++
			fmt.Fprintf(w, "%s %s: no current keys\n", d.EUI, d.Type)
		case d.Pending != nil:
			findings++
			fmt.Fprintf(w, "%s %s: a key change is open (pending %s): start the daemon, and ask it by keys.prove which set opens the device\n", d.EUI, d.Type, d.Pending.Fingerprint())
		case d.Current.Proven.IsZero():
			unproven++
		}
	}
	if cfg != nil {
		for _, h := range cfg.Hubs {
			devices := []wire.EUI64{h.EUI}
			for _, d := range h.Devices {
				if d.Type != "ihd" {
					devices = append(devices, d.EUI)
				}
			}
			for _, e := range devices {
				if !has[e] {
					findings++
					fmt.Fprintf(w, "%s: no keys, and hub %s of the configuration has it: import its handover file\n", e, h.EUI)
				}
			}
		}
	}
	fmt.Fprintf(w, "%d devices; %d have current keys that never opened them yet\n", len(all), unproven)
	return refused(w, findings)
}
