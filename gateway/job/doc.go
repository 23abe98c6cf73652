// Package job is the durable queue of commands.
//
// A command is accepted when its intent is on disk, and from then on has exactly one outcome, whatever
// dies. The same id is never run twice: a command seen before gets the stored result, or word of how far it is. Each hub
// runs one command at a time, by priority and then in the order they were accepted; hubs run beside each other up to a limit, in turn, so that
// one slow hub holds nobody. A goroutine exists for a command that runs, not for one that waits.
//
// # What is on disk
//
// Two buckets: "jobs" for verbs that can be undone or repeated, and "jobs-sync", whose writes are fsynced, for
// those with an irreversible step. In each:
//
//	ended/<number>   commands, with their results, that ended so soon that their intents were never written; see Offer
//	job/<id>         the command, whether it was started, and its result once it ended
//	checkpoint/<id>  what the handler noted on its way; removed once the result is stored
//	revision/<hub>   revision of the hub; written before the result that has it
//	delivered        number of the last result that is known to have reached the broker
//
// # After a restart
//
// A command that had not ended is handed to its Handler again, with Resumed set and the checkpoint it left. The handler
// then asks the device what is true before it does anything. Of a verb with an irreversible step the start is written before
// the handler runs, so that a deadline that passed meanwhile stops it only if it never started.
//
// # Life of a command
//
//	Submit ──▶ accepted ──▶ (running, progress)* ──▶ done │ failed │ indoubt
//	   └─────▶ rejected        └─▶ rejected: expired or stale when its turn came
//
// Locks: Queue.mu guards everything in memory and is never held during I/O or a call to a handler or the sink.
package job
