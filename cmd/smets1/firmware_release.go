package main

import (
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"smets1/firmware"
)

// releaseOptions are those of pack for the manifest of a release.
type releaseOptions struct {
	path         string
	from         []string
	needs        []string
	notes        string
	combinations []string
}

func (o *releaseOptions) add(f *pflag.FlagSet) {
	f.StringVar(&o.path, "release", "", "write the release's manifest here too, in the folder of the image")
	f.StringSliceVar(&o.from, "from", nil, "versions that the release may go over (default: any older one), for --release")
	f.StringSliceVar(&o.needs, "needs", nil, "TYPE=VERSION that another device must run before, for --release")
	f.StringVar(&o.notes, "notes", "", "release notes, for --release")
	f.StringSliceVar(&o.combinations, "combination", nil, "rows of the eligible combinations that it leads to, for --release")
}

func (o *releaseOptions) write(w io.Writer, h firmware.Header, key *ecdsa.PrivateKey, name string, image []byte, force bool) error {
	r := firmware.Release{
		Format: firmware.ReleaseFormat, Type: h.Type.String(), Manufacturer: h.Manufacturer, Model: h.Model, HardwareFrom: h.HardwareFrom, HardwareTo: h.HardwareTo,
		From: o.from, Version: h.Version, Image: firmware.FileOf(name, image), Notes: o.notes, Combinations: o.combinations,
	}
	for _, n := range o.needs {
		kind, version, ok := strings.Cut(n, "=")
		if !ok {
			return usageError{fmt.Errorf("--needs %q: write TYPE=VERSION", n)}
		}
		r.Needs = append(r.Needs, firmware.Need{Type: kind, Version: version})
	}
	if key != nil {
		if err := r.Sign(h.Signer, key); err != nil {
			return usageError{err}
		}
	}
	b, err := r.Encode()
	if err != nil {
		return usageError{err}
	}
	return writeImage(w, o.path, b, force)
}

func (f releaseFile) inspect(out io.Writer, asJSON bool, _ int) error {
	if asJSON {
		return json.NewEncoder(out).Encode(struct {
			File    string            `json:"file"`
			Release *firmware.Release `json:"release"`
		}{f.path, &f.release})
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "file\t%s\n", f.path)
	for _, r := range f.rows() {
		fmt.Fprintf(w, "%s\t%s\n", r.name, r.value)
	}
	return w.Flush()
}

func (f releaseFile) rows() []row {
	r := &f.release
	from := strings.Join(r.From, ", ")
	if from == "" {
		from = "any older version"
	}
	var needs []string
	for _, n := range r.Needs {
		needs = append(needs, n.Type+" at "+n.Version+" or newer")
	}
	signature := "none"
	if r.Signature != "" {
		signature = "there, by " + r.Signer
	}
	return []row{
		{"kind", "release manifest"}, {"for", fmt.Sprintf("%s %s %s", r.Type, r.Manufacturer, r.Model)},
		{"hardware", fmt.Sprintf("%d to %d", r.HardwareFrom, r.HardwareTo)}, {"version", r.Version}, {"over", from}, {"needs", dash(strings.Join(needs, ", "))},
		{"image", fmt.Sprintf("%s, %d octets, %s", r.Image.Name, r.Image.Size, r.Image.SHA256)},
		{"combinations", dash(strings.Join(r.Combinations, ", "))}, {"notes", dash(r.Notes)}, {"signature", signature},
	}
}

// readReleases reads all manifests of a folder.
func readReleases(dir string) ([]firmware.Release, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, usageError{err}
	}
	var all []firmware.Release
	var errs []error
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err == nil {
			var r firmware.Release
			if r, err = firmware.ParseRelease(b); err == nil {
				all = append(all, r)
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p, err))
		}
	}
	if len(all) == 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("%s: there are no manifests (*.json): pack --release makes them", dir))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, usageError{err}
	}
	return all, nil
}

// goalOptions say where homes are to come to.
type goalOptions struct {
	to          []string
	combination string
}

func (o *goalOptions) add(f *pflag.FlagSet) {
	f.StringSliceVar(&o.to, "to", nil, "TYPE=VERSION to come to (default: the newest release of each device)")
	f.StringVar(&o.combination, "combination", "", "row of the eligible combinations to come to")
}

func (o *goalOptions) goal() (firmware.Goal, error) {
	g := firmware.Goal{Combination: o.combination}
	for _, t := range o.to {
		word, version, ok := strings.Cut(t, "=")
		if !ok || version == "" {
			return g, usageError{fmt.Errorf("--to %q: write TYPE=VERSION", t)}
		}
		kind, err := imageType(word)
		if err != nil {
			return g, err
		}
		if g.Versions == nil {
			g.Versions = map[firmware.DeviceType]string{}
		}
		g.Versions[kind] = version
	}
	return g, nil
}

func newFirmwarePlanCommand() *cobra.Command {
	var (
		releases string
		home     []string
		goal     goalOptions
		asJSON   bool
	)
	c := &cobra.Command{
		Use:   "plan",
		Short: "Order the releases that bring a home to a goal",
		Long: `plan reads the manifests of a folder and prints, for a home that is described by
--home, which release goes onto which device, in order: intermediate versions
where a release does not go over the one that runs, and other devices first where
a release needs them newer. It touches nothing. The exit status is 1 if no
releases lead there, with the reason.`,
		Example: `  smets1 firmware plan --releases releases/ --home chf/ACME/H1/1/1.0 --home esme/ACME/E1/1/1.0
  smets1 firmware plan --releases releases/ --home chf/ACME/H1/1/1.0 --home esme/ACME/E1/1/1.0 --to esme=2.0
  smets1 firmware plan --releases releases/ --home chf/ACME/H1/1/1.0 --combination EPCL-7 --json`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := readReleases(releases)
			if err != nil {
				return err
			}
			g, err := goal.goal()
			if err != nil {
				return err
			}
			var installed []firmware.Installed
			for _, h := range home {
				d, err := parseInstalled(h)
				if err != nil {
					return err
				}
				installed = append(installed, d)
			}
			if len(installed) == 0 {
				return usageError{errors.New("describe the home: --home TYPE/MANUFACTURER/MODEL/HARDWARE/VERSION per device")}
			}
			steps, err := firmware.Plan(installed, g, all)
			if err != nil {
				return err
			}
			return printPlan(c.OutOrStdout(), steps, asJSON)
		},
	}
	f := c.Flags()
	f.StringVar(&releases, "releases", ".", "folder of manifests")
	f.StringArrayVar(&home, "home", nil, "TYPE/MANUFACTURER/MODEL/HARDWARE/VERSION of a device (repeatable)")
	f.BoolVar(&asJSON, "json", false, "one line of JSON per step")
	goal.add(f)
	return c
}

func parseInstalled(s string) (firmware.Installed, error) {
	p := strings.Split(s, "/")
	if len(p) != 5 {
		return firmware.Installed{}, usageError{fmt.Errorf("--home %q: write TYPE/MANUFACTURER/MODEL/HARDWARE/VERSION", s)}
	}
	kind, err := imageType(p[0])
	if err != nil {
		return firmware.Installed{}, err
	}
	hardware, err := strconv.ParseUint(p[3], 10, 16)
	if err != nil {
		return firmware.Installed{}, usageError{fmt.Errorf("--home %q: the hardware revision is a number up to 65535", s)}
	}
	return firmware.Installed{Device: p[0], Type: kind, Manufacturer: p[1], Model: p[2], Hardware: uint16(hardware), Version: p[4]}, nil
}

func printPlan(out io.Writer, steps []firmware.Step, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(out)
		for _, s := range steps {
			if err := e.Encode(struct {
				Device  string `json:"device"`
				Type    string `json:"type"`
				From    string `json:"from"`
				Version string `json:"version"`
				Image   string `json:"image"`
				Why     string `json:"why"`
			}{s.Device, s.Type.String(), s.From, s.Release.Version, s.Release.Image.SHA256.String(), s.Why}); err != nil {
				return err
			}
		}
		return nil
	}
	if len(steps) == 0 {
		fmt.Fprintln(out, "nothing to do")
	}
	for i, s := range steps {
		fmt.Fprintf(out, "%d. %s\n", i+1, s)
	}
	return nil
}
