// Package suites has the scenarios that are shipped: files below a folder for each suite.
package suites

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"smets1/hwtest/scenario"
)

//go:embed */*.txtar
var files embed.FS

// Names lists the suites, in order.
func Names() []string {
	list, err := fs.ReadDir(files, ".")
	if err != nil {
		panic(err) // what is embedded can be read
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

// Load reads a suite, or one scenario of it as suite/scenario.
func Load(name string) ([]*scenario.Scenario, error) {
	suite, one, _ := strings.Cut(name, "/")
	if !slices.Contains(Names(), suite) {
		return nil, fmt.Errorf("no suite %q is shipped: there is %s", suite, strings.Join(Names(), ", "))
	}
	list, err := fs.ReadDir(files, suite)
	if err != nil {
		return nil, err
	}
	var out []*scenario.Scenario
	for _, e := range list {
		if one != "" && strings.TrimSuffix(e.Name(), path.Ext(e.Name())) != one {
			continue
		}
		b, err := files.ReadFile(path.Join(suite, e.Name()))
		if err != nil {
			return nil, err
		}
		s, err := scenario.Parse(path.Join(suite, e.Name()), b)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("suite %s has no scenario %q", suite, one)
	}
	return out, nil
}

// Source is the text of a shipped scenario, named as suite/scenario.
func Source(name string) ([]byte, error) {
	list, err := Load(name)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, fmt.Errorf("%s has %d scenarios: name one, as %s", name, len(list), strings.TrimSuffix(list[0].Path, ".txtar"))
	}
	return files.ReadFile(list[0].Path)
}
