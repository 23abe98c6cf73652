package report

import (
	"fmt"
	"io"
	"strings"
)

// WriteText writes what a terminal shows at the end: what did not pass, and the counts.
func (r *Run) WriteText(w io.Writer) error {
	var b strings.Builder
	for i := range r.Results {
		x := &r.Results[i]
		if x.Outcome == Passed {
			continue
		}
		fmt.Fprintf(&b, "%-11s %s\n            %s\n", x.Outcome, x.label(), strings.ReplaceAll(x.Reason, "\n", "\n            "))
	}
	n := r.Count()
	fmt.Fprintf(&b, "%d scenarios: %d passed, %d failed, %d broken, %d skipped, %d quarantined; %s s\n",
		len(r.Results), n[Passed], n[Failed], n[Broken], n[Skipped], n[Quarantined], seconds(r.Ended.Sub(r.Started).Seconds()))
	_, err := io.WriteString(w, b.String())
	return err
}
