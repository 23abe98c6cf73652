package broker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
)

// logger passes on what a server says. Its notices, of which a start makes a page, go to the debug level.
type logger struct {
	log *slog.Logger

	fatal chan struct{} // has something once the server cannot go on

	mu   sync.Mutex
	last string
}

func (l *logger) Noticef(format string, v ...any) { l.say(slog.LevelDebug, format, v) }
func (l *logger) Warnf(format string, v ...any)   { l.say(slog.LevelWarn, format, v) }
func (l *logger) Debugf(format string, v ...any)  { l.say(slog.LevelDebug, format, v) }
func (l *logger) Tracef(format string, v ...any)  { l.say(slog.LevelDebug, format, v) }
func (l *logger) Errorf(format string, v ...any)  { l.fail(format, v) }

// Fatalf reports what the server cannot go on with. The server does not end the process; Start notices.
func (l *logger) Fatalf(format string, v ...any) {
	l.fail(format, v)
	select {
	case l.fatal <- struct{}{}:
	default:
	}
}

func (l *logger) fail(format string, v []any) {
	l.mu.Lock()
	l.last = fmt.Sprintf(format, v...)
	l.mu.Unlock()
	l.say(slog.LevelError, format, v)
}

func (l *logger) say(level slog.Level, format string, v []any) {
	if l.log != nil {
		l.log.Log(context.Background(), level, "nats: "+fmt.Sprintf(format, v...))
	}
}

func (l *logger) lastError() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == "" {
		return "it was not ready in time: is another process using that folder?"
	}
	return l.last
}
