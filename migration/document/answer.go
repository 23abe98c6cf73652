package document

import "slices"

// CheckAnswer holds an answer (MCVF, MGVF, SVF, SCF, COF) against the file that it answers: it must
// cite the file and its digest, carry the same FileSetID (XCV04), a counter that its sender has not used
// (XCV03), and list each installation exactly once in the order of the file (XCV05). With
// partial, installations may be left out: a commissioning file lists those that were taken over. An
// answer that refuses the whole file lists none.
func (f *Facts) CheckAnswer(name string, h Header, ids []EUI, kind Kind, request InResponseTo, set FileSetID, wanted []EUI, partial bool) Problems {
	var ps Problems
	add := func(column, code, what string) { ps = append(ps, f.Specs.Problem(name, 0, column, code, what)) }
	if last, ok := f.LastCounters[CounterKey{h.Sender.EUI, kind}]; ok && h.Counter <= last {
		add("Counter", "XCV03", sentence("the counter is not greater than the last one of this sender"))
	}
	if h.FileSetID != set {
		add("FileSetID", "XCV04", "The answer is for file set "+h.FileSetID.String()+", not for "+set.String()+".")
	}
	if !slices.Contains(h.InResponseTo, request) {
		add("InResponseTo", "XCV04", "The answer does not cite "+request.FileName+" with SHA-256 "+request.SHA256.String()+".")
	}
	if h.InstallationCount != len(ids) {
		add("InstallationCount", "XCV05", "The number of installations is not that of the header.")
	}
	if len(ids) == 0 {
		return ps
	}
	next := 0
	for _, id := range ids {
		at := slices.Index(wanted[next:], id)
		if at < 0 || (at > 0 && !partial) {
			add("InstallationID", "XCV05", "Installation "+id.String()+" was not asked about here: the answer keeps the order of the file and lists each installation once.")
			return ps
		}
		next += at + 1
	}
	if next < len(wanted) && !partial {
		add("InstallationID", "XCV05", "The answer leaves out installation "+wanted[next].String()+".")
	}
	return ps
}
