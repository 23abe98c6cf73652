package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"smets1/migration/engine"
)

// progress shows a run to a person: one line a phase, drawn over while it
// moves on a terminal, and written once when it ends anywhere else.
type progress struct {
	w    io.Writer
	live bool

	mu    sync.Mutex
	line  engine.Progress // the phase under way
	drawn bool            // a live line is on the screen
	day   time.Time
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w}
	if f, ok := w.(*os.File); ok {
		p.live = term.IsTerminal(int(f.Fd()))
	}
	return p
}

// say writes a line of its own.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintf(p.w, format+"\n", args...)
}

func (p *progress) clear() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}

// observe is for engine.Config.Observe.
func (p *progress) observe(e engine.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Note != "" {
		if p.live && p.line.Phase != "" && p.line.Done < p.line.Total {
			p.clear()
			fmt.Fprintf(p.w, "%s  %s %s", p.text(p.line), e.Home, clip(e.Note, 40))
			p.drawn = true
		}
		return
	}
	if y, m, d := e.Time.Date(); p.day != time.Date(y, m, d, 0, 0, 0, 0, time.UTC) {
		p.day = time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
		p.clear()
		fmt.Fprintf(p.w, "%s\n", e.Time.Format("Mon 2 Jan 2006"))
	}
	p.line = e
	p.clear()
	switch {
	case e.Done == e.Total:
		fmt.Fprintln(p.w, p.text(e))
	case p.live:
		fmt.Fprint(p.w, p.text(e))
		p.drawn = true
	}
}

func (p *progress) text(e engine.Progress) string {
	const width = 24
	full := 0
	if e.Total > 0 {
		full = width * e.Done / e.Total
	}
	s := fmt.Sprintf("  %s  %-16s %s%s %4d/%d", e.Time.Format("15:04"), e.Phase, strings.Repeat("█", full), strings.Repeat("·", width-full), e.Done, e.Total)
	if e.Bad > 0 {
		s += fmt.Sprintf("  %d not passed", e.Bad)
	}
	return s
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
