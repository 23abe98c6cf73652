// Package campaign brings many homes to a firmware goal: each by its own plan
// (firmware.Plan), in waves, so many at once, in maintenance windows, with retries
// by cause, and stops by itself when too many fail.
//
//	waiting ──▶ looking ──▶ working (step 1 … n) ──▶ done
//	   ▲           │            │
//	   └── retry ──┴────────────┴──▶ failed │ skipped
//
// What is to be done next is decided by a machine without I/O; a Manager runs it
// over a bucket and a [Doer]. Before a command is given its number is on disk, and
// the id of the command is made of campaign, hub, step and number: a manager that
// was killed gives the same commands again, and the queue behind the Doer answers
// with what became of them. So nothing is done twice, and every home ends with an
// outcome: done, failed with the code of its last failure, or skipped by an abort.
//
//	<id>/state         the specification and where the campaign stands
//	<id>/home/<EUI>    where a home stands, its plan and its evidence
//
// A pause, a closed window or a halt lets steps that run come to their end and
// begins no other; an abort skips what has not begun.
package campaign
