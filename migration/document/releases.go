package document

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// Release says which image brings a device model to a firmware version (the
// file is ours). The image itself is with the gateway; here it is only named.
type Release struct {
	Type   DeviceType
	Model  Model // Firmware is the version that the image holds
	SHA256 [32]byte
}

// Releases is the look-up of images.
type Releases struct {
	byModel map[string]Release
}

// NewReleases makes the look-up; of two images for one version the first counts.
func NewReleases(in []Release) *Releases {
	r := &Releases{byModel: make(map[string]Release, len(in))}
	for _, x := range in {
		if _, ok := r.byModel[x.key()]; !ok {
			r.byModel[x.key()] = x
		}
	}
	return r
}

func (r Release) key() string { return string(r.Type) + "\x00" + r.Model.key() }

// Image finds the image that holds the firmware of a model.
func (r *Releases) Image(t DeviceType, m Model) (Release, bool) {
	if r == nil {
		return Release{}, false
	}
	x, ok := r.byModel[Release{Type: t, Model: m}.key()]
	return x, ok
}

// ReadReleases reads the list from CSV.
func ReadReleases(specs *Specs, file string, src io.Reader) (*Releases, Problems) {
	t, err := NewTable(specs, "RELEASES", file)
	if err != nil {
		return nil, Problems{specs.Problem(file, 0, "", "XDF02", err.Error()+".")}
	}
	var out []Release
	seen := map[string]int{}
	for row := range t.Rows(src) {
		r := Release{Type: DeviceType(row.Get("DeviceType")), Model: Model{row.Get("Manufacturer"), row.Get("Model"), row.Get("Firmware")}}
		if _, err := hex.Decode(r.SHA256[:], []byte(row.Get("SHA256"))); err != nil {
			t.Report(row.Line, "SHA256", "XDF03", "The cell is not a SHA-256.")
			continue
		}
		if line, twice := seen[r.key()]; twice {
			t.Report(row.Line, "Firmware", "XDF04", fmt.Sprintf("The same release is on line %d already.", line))
			continue
		}
		seen[r.key()] = row.Line
		out = append(out, r)
	}
	if t.ps.FileFailed() {
		return nil, t.ps
	}
	return NewReleases(out), t.ps
}

// WriteReleases writes the list as [ReadReleases] reads it.
func WriteReleases(w io.Writer, specs *Specs, in []Release) error {
	l, err := specs.Layout("RELEASES")
	if err != nil {
		return err
	}
	return WriteTable(w, specs, "RELEASES", func(yield func([]string) bool) {
		for _, r := range in {
			if !yield(l.cells(map[string]string{
				"DeviceType": string(r.Type), "Manufacturer": r.Model.Manufacturer, "Model": r.Model.Model,
				"Firmware": r.Model.Firmware, "SHA256": strings.ToLower(hex.EncodeToString(r.SHA256[:])),
			})) {
				return
			}
		}
	})
}
