package store

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeyForms(t *testing.T) {
	for key, want := range map[string]string{
		"job/a b//c": "job.a=20b.=.c",
		"a":          "a",
		"/":          "=.=",
		"a/":         "a.=",
		"=":          "=3D",
		".":          "=2E",
		"*>$":        "=2A=3E=24",
	} {
		require.Equal(t, want, escapeKey(key))
		got, err := unescapeKey(want)
		require.NoError(t, err)
		require.Equal(t, key, got)
	}
	for _, foreign := range []string{"", ".", "a..b", "a=", "a=2", "a=2e", "=41", "a b", "a*", "=zz", "a.", "=="} {
		_, err := unescapeKey(foreign)
		require.Error(t, err, "%q", foreign)
	}
}

// FuzzKey holds that each key has one form, that the form is one JetStream takes, and that it can be read back.
func FuzzKey(f *testing.F) {
	for _, s := range []string{"job/a b//c", "\x00", "=.=", "a/../b", "é"} {
		f.Add(s)
	}
	allowed := regexp.MustCompile(`^[-_=a-zA-Z0-9]+(\.[-_=a-zA-Z0-9]+)*$`)
	f.Fuzz(func(t *testing.T, key string) {
		if key == "" {
			return
		}
		form := escapeKey(key)
		require.Regexp(t, allowed, form)
		got, err := unescapeKey(form)
		require.NoError(t, err)
		require.Equal(t, key, got)
		if back, err := unescapeKey(key); err == nil {
			require.Equal(t, key, escapeKey(back))
		}
	})
}
