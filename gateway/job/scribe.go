package job

import (
	"time"

	"smets1/internal/clock"
)

// patience is how long a command that was offered may go without its intent on disk: most short commands are over sooner, and
// then the result is the only write. It is of the network's time, not of the fleet's.
const patience = 20 * time.Millisecond

// maxUnwritten is how many commands may be without their intents on disk before patience ends.
const maxUnwritten = 2048

// unwritten holds, in the order in which they came, the commands that were offered and whose intents are not on disk.
type unwritten struct {
	queue []waiting
	count int           // those in queue that still matter
	more  chan struct{} // has something to say
}

type waiting struct {
	e     *entry
	since time.Time
}

// add takes commands. The queue's lock is held.
func (u *unwritten) add(part []*entry) {
	now := clock.Real().Now()
	for _, e := range part {
		u.queue = append(u.queue, waiting{e, now})
	}
	if u.count == 0 || u.count+len(part) > maxUnwritten {
		signal(u.more)
	}
	u.count += len(part)
}

// due takes the commands whose intents are to be written now, and tells how long until there may be more; zero means
// that none waits. The queue's lock is held.
func (u *unwritten) due(now time.Time, all bool) (part []*entry, wait time.Duration) {
	all = all || u.count > maxUnwritten
	for len(u.queue) > 0 && len(part) < maxIntents {
		w := u.queue[0]
		if w.e.intent == intentNone && w.e.phase != phaseEnding {
			if left := w.since.Add(patience).Sub(now); left > 0 && !all && !w.e.hurry {
				return part, left
			}
			w.e.intent = intentWriting
			u.count--
			part = append(part, w.e)
		}
		u.queue[0] = waiting{}
		u.queue = u.queue[1:]
	}
	if len(u.queue) == 0 {
		u.queue = nil
	}
	return part, 0
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// scribe writes the intents of commands that were offered and did not end soon.
func (q *Queue) scribe() {
	defer close(q.scribed)
	wall := clock.Real()
	timer := wall.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		q.mu.Lock()
		part, wait := q.unwritten.due(wall.Now(), false)
		q.mu.Unlock()
		if len(part) > 0 {
			q.writeLate(part)
			continue
		}
		if wait > 0 {
			timer.Reset(wait)
		}
		select {
		case <-timer.C():
		case <-q.unwritten.more:
		case <-q.stopped:
			q.writeRest()
			return
		}
	}
}

// writeRest writes, before the queue stops, the intents of all that will be resumed.
func (q *Queue) writeRest() {
	for {
		q.mu.Lock()
		part, _ := q.unwritten.due(time.Time{}, true)
		q.mu.Unlock()
		if len(part) == 0 || q.base.Err() != nil {
			return
		}
		q.writeLate(part)
	}
}

// writeLate writes intents. A command whose intent cannot be written is refused if it does not run yet; else its result is
// waited for, which is written in its place.
func (q *Queue) writeLate(part []*entry) { q.accept(part, q.writeIntents(part)) }
