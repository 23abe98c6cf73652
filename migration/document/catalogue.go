package document

import (
	"fmt"
	"slices"
	"time"
)

// Provenance says where a fact of a data file comes from.
type Provenance string

// The provenances. Recalled means: from memory of a published text, not verified.
const (
	Published Provenance = "published"
	Recalled  Provenance = "recalled"
	Ours      Provenance = "ours"
)

// Fallback is what follows when the attempts of a code are used up.
type Fallback string

// The fallbacks; the first three are states of an installation.
const (
	ThenBlocked         Fallback = "Blocked"
	ThenExcluded        Fallback = "Excluded"
	ThenManual          Fallback = "ManualIntervention"
	ThenElectricityOnly Fallback = "ElectricityOnly" // where the authorisation permits it, else Blocked
)

// Code is one entry of the catalogue: what a code means and what to do about it.
type Code struct {
	Code        string     `yaml:"code" json:"code"`
	Area        string     `yaml:"area" json:"area"`
	Scope       Scope      `yaml:"scope" json:"scope"`
	Sentence    string     `yaml:"sentence" json:"sentence"`
	Remedy      string     `yaml:"remedy" json:"remedy"`
	Retryable   bool       `yaml:"retryable" json:"retryable"`
	MaxAttempts int        `yaml:"maxAttempts" json:"maxAttempts"` // in all; 0 means one
	BackOff     []Duration `yaml:"backOff" json:"backOff,omitempty"`
	Then        Fallback   `yaml:"then" json:"then"`
	Owner       string     `yaml:"owner" json:"owner"`
	Provenance  Provenance `yaml:"provenance" json:"provenance"`
}

// Duration is a [time.Duration] that files spell `24h`.
type Duration time.Duration

// UnmarshalText reads what [time.ParseDuration] reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// MarshalText writes the duration as [time.Duration.String] does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Retry gives the wait before the next attempt after attempts have failed with this code, and
// whether there is a next attempt at all. The cap of the catalogue is not considered here:
// see [Catalogue.Retry].
func (c Code) Retry(attempts int) (wait time.Duration, again bool) {
	if !c.Retryable || attempts < 1 || attempts >= c.MaxAttempts {
		return 0, false
	}
	if len(c.BackOff) == 0 {
		return 0, true
	}
	return time.Duration(c.BackOff[min(attempts, len(c.BackOff))-1]), true
}

// Catalogue is the set of codes of one version.
type Catalogue struct {
	Document          string     `yaml:"document"`
	Version           string     `yaml:"version"`
	Provenance        Provenance `yaml:"provenance"`
	Source            string     `yaml:"source"`
	GlobalMaxAttempts int        `yaml:"globalMaxAttempts"` // of all codes together
	Codes             []Code     `yaml:"codes"`

	byCode map[string]int
}

// Lookup finds a code.
func (c *Catalogue) Lookup(code string) (Code, bool) {
	i, ok := c.byCode[code]
	if !ok {
		return Code{}, false
	}
	return c.Codes[i], true
}

// Retry decides what follows a failure: attempts counts those with this code, total all
// failures of the installation so far.
func (c *Catalogue) Retry(code string, attempts, total int) (wait time.Duration, again bool) {
	k, ok := c.Lookup(code)
	if !ok || total >= c.GlobalMaxAttempts {
		return 0, false
	}
	return k.Retry(attempts)
}

// Explain gives a code's sentence and remedy, or says that the code is unknown.
func (c *Catalogue) Explain(code string) string {
	k, ok := c.Lookup(code)
	if !ok {
		return fmt.Sprintf("%s is not in code catalogue %s", code, c.Version)
	}
	return fmt.Sprintf("%s (%s, %s): %s %s", k.Code, k.Area, k.Provenance, k.Sentence, k.Remedy)
}

func (c *Catalogue) finish(path string) error {
	c.byCode = make(map[string]int, len(c.Codes))
	if c.GlobalMaxAttempts < 1 {
		return fmt.Errorf("%s: globalMaxAttempts must be at least 1", path)
	}
	for i, k := range c.Codes {
		if _, twice := c.byCode[k.Code]; twice {
			return fmt.Errorf("%s: code %s appears twice", path, k.Code)
		}
		switch {
		case k.Code == "" || k.Sentence == "" || k.Remedy == "" || k.Owner == "" || k.Area == "":
			return fmt.Errorf("%s: code %q needs code, area, sentence, remedy and owner", path, k.Code)
		case !slices.Contains([]Scope{ScopeFile, ScopeSet, ScopeRow, ScopeInstallation}, k.Scope):
			return fmt.Errorf("%s: code %s: scope %q is not file, set, row or installation", path, k.Code, k.Scope)
		case !slices.Contains([]Provenance{Published, Recalled, Ours}, k.Provenance):
			return fmt.Errorf("%s: code %s: provenance %q is not published, recalled or ours", path, k.Code, k.Provenance)
		case (k.Code[0] == 'X') != (k.Provenance == Ours):
			return fmt.Errorf("%s: code %s: the prefix X marks codes of ours, and only those", path, k.Code)
		case !slices.Contains([]Fallback{ThenBlocked, ThenExcluded, ThenManual, ThenElectricityOnly}, k.Then):
			return fmt.Errorf("%s: code %s: then %q is not Blocked, Excluded, ManualIntervention or ElectricityOnly", path, k.Code, k.Then)
		case k.Retryable && k.MaxAttempts < 2:
			return fmt.Errorf("%s: code %s is retryable but maxAttempts is %d", path, k.Code, k.MaxAttempts)
		}
		c.byCode[k.Code] = i
	}
	return nil
}
