package document

import "testing"

func BenchmarkOpen(b *testing.B) {
	w := newWorld(b)
	a, o := w.issueMCF(b), w.opener()
	b.SetBytes(int64(len(a.Data)))
	for b.Loop() {
		if _, ps := Open[CommonBody](o, a, w.now); ps != nil {
			b.Fatal(ps)
		}
	}
}

func BenchmarkIssue(b *testing.B) {
	w := newWorld(b)
	for b.Loop() {
		w.issueMCF(b)
	}
}
