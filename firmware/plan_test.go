package firmware

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func planned(kind, version string, more func(*Release)) Release {
	r := Release{
		Format: ReleaseFormat, Type: kind, Manufacturer: "ACME", Model: "M-" + kind, HardwareTo: 9, Version: version,
		Image: File{kind + version + ".img", 1, Digest{}},
	}
	if more != nil {
		more(&r)
	}
	return r
}

func acmeHome() []Installed {
	return []Installed{
		{"gas", GSME, "ACME", "M-gsme", 1, "1.0"},
		{"electricity", ESME, "ACME", "M-esme", 1, "1.0"},
		{"hub", Hub, "ACME", "M-chf", 1, "1.0"},
	}
}

func lines(steps []Step) []string {
	all := []string{}
	for _, s := range steps {
		all = append(all, s.String())
	}
	return all
}

func TestPlan(t *testing.T) {
	over := func(v ...string) func(*Release) { return func(r *Release) { r.From = v } }
	releases := []Release{
		planned("chf", "1.5", nil),
		planned("chf", "2.0", func(r *Release) { r.Combinations = []string{"EPCL-7"} }),
		planned("esme", "1.1", over("1.0")),
		planned("esme", "1.2", over("1.0", "1.1")),
		planned("esme", "2.0", func(r *Release) {
			r.From, r.Needs, r.Combinations = []string{"1.1", "1.2"}, []Need{{"chf", "1.4"}}, []string{"EPCL-7"}
		}),
		planned("gsme", "1.3", nil),
		planned("gsme", "9.0", func(r *Release) { r.HardwareFrom = 2 }),
	}
	for name, x := range map[string]struct {
		goal Goal
		want []string
		err  string
	}{
		"newest": {Goal{}, []string{
			"chf hub: 1.0 to 2.0 (the newest release)",
			"esme electricity: 1.0 to 1.2 (on the way to 2.0, the newest release)",
			"esme electricity: 1.2 to 2.0 (the newest release)",
			"gsme gas: 1.0 to 1.3 (the newest release)",
		}, ""},
		"a need draws the hub in, as little as will do": {Goal{Versions: map[DeviceType]string{ESME: "2.0"}}, []string{
			"esme electricity: 1.0 to 1.2 (on the way to 2.0, the goal)",
			"chf hub: 1.0 to 1.5 (esme 2.0 needs chf at 1.4 or newer)",
			"esme electricity: 1.2 to 2.0 (the goal)",
		}, ""},
		"combination": {Goal{Combination: "EPCL-7"}, []string{
			"chf hub: 1.0 to 2.0 (leads to combination EPCL-7)",
			"esme electricity: 1.0 to 1.2 (on the way to 2.0, leads to combination EPCL-7)",
			"esme electricity: 1.2 to 2.0 (leads to combination EPCL-7)",
		}, ""},
		"there already":       {Goal{Versions: map[DeviceType]string{Hub: "1.0"}}, []string{}, ""},
		"not this hardware":   {Goal{Versions: map[DeviceType]string{GSME: "9.0"}}, nil, "gsme gas"},
		"no display":          {Goal{Versions: map[DeviceType]string{IHD: "1.0"}}, nil, "the home has none"},
		"unknown combination": {Goal{Combination: "EPCL-8"}, nil, "EPCL-8"},
		"back":                {Goal{Versions: map[DeviceType]string{Hub: "0.9"}}, nil, "shall run 0.9"},
		"both":                {Goal{Combination: "EPCL-7", Versions: map[DeviceType]string{Hub: "2.0"}}, nil, "not both"},
	} {
		t.Run(name, func(t *testing.T) {
			steps, err := Plan(acmeHome(), x.goal, releases)
			if x.err != "" {
				require.ErrorContains(t, err, x.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, x.want, lines(steps))
		})
	}
}

func TestPlanNeedsThatCannotBeMet(t *testing.T) {
	_, err := Plan(acmeHome(), Goal{}, []Release{
		planned("esme", "2.0", func(r *Release) { r.Needs = []Need{{"gsme", "2.0"}} }),
		planned("gsme", "2.0", func(r *Release) { r.Needs = []Need{{"esme", "2.0"}} }),
	})
	require.ErrorIs(t, err, ErrNoPath)
	require.ErrorContains(t, err, "esme 2.0 needs gsme at 2.0 or newer; gsme 2.0 needs esme at 2.0 or newer")
	_, err = Plan(acmeHome(), Goal{}, []Release{planned("esme", "2.0", func(r *Release) { r.Needs = []Need{{"ihd", "1.0"}} })})
	require.ErrorIs(t, err, ErrNoPath)
}

func TestReleaseManifest(t *testing.T) {
	image := []byte("the image")
	r := planned("esme", "2.0", func(r *Release) {
		r.From, r.Needs, r.Notes, r.Combinations = []string{"1.0"}, []Need{{"chf", "1.4"}}, "Mends the clock.", []string{"EPCL-7"}
		r.Image = FileOf("e.img", image)
	})
	require.NoError(t, r.Sign(SimulatorSigner, SimulatorKey()))
	b, err := r.Encode()
	require.NoError(t, err)
	got, err := ParseRelease(b)
	require.NoError(t, err)
	require.Equal(t, r, got)
	require.NoError(t, got.Verify(SimulatorSigners(), image))
	require.ErrorIs(t, got.Verify(SimulatorSigners(), image[1:]), BadDigest)
	require.ErrorIs(t, got.Verify(Signers{}, image), UnknownSigner)
	changed := got
	changed.Notes = "Mends nothing."
	require.ErrorIs(t, changed.Verify(SimulatorSigners(), image), BadSignature)
	require.ErrorIs(t, changed.Describes(Header{Type: GSME, Manufacturer: "ACME", Model: "M-esme", HardwareTo: 9, Version: "2.0"}), WrongType)
	for i := range b[:len(b)-2] {
		_, err := ParseRelease(b[:i])
		require.Error(t, err, "cut at %d", i)
	}
	for _, bad := range []func(*Release){
		func(r *Release) { r.Format = "x" }, func(r *Release) { r.Type = "meter" }, func(r *Release) { r.Model = "" },
		func(r *Release) { r.HardwareFrom = 99 }, func(r *Release) { r.From = []string{"2.0"} }, func(r *Release) { r.Needs = []Need{{"esme", "1"}} },
		func(r *Release) { r.Image.Name = "../e.img" }, func(r *Release) { r.Image.Size = 0 }, func(r *Release) { r.Signature = "xyz" },
		func(r *Release) { r.Signer = "" },
	} {
		x := got
		bad(&x)
		_, err := x.Encode()
		require.Error(t, err)
	}
}

func FuzzParseRelease(f *testing.F) {
	r := planned("esme", "2.0", nil)
	b, err := r.Encode()
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRelease(b)
		if err != nil {
			return
		}
		again, err := r.Encode()
		require.NoError(t, err)
		got, err := ParseRelease(again)
		require.NoError(t, err)
		require.Equal(t, r.Image, got.Image)
	})
}
