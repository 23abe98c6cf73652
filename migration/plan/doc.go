// Package plan decides how many homes are migrated on which day, and which.
//
// That DCC manages constraints of its migration capacity by a Migration Scaling Methodology, that suppliers commit to
// demand and get a response, that there is a flat allocation and that its DMIN is 100 installations a day is published; the
// algorithm around it, the calendar of a cycle, the tolerance and the constraints are ours.
//
//	demand (DC files) ─┐
//	capacity           ├─▶ Allocate, day by day ─▶ response (DR files) ─▶ Reallocate on Friday ─▶ quotas of authorisations
//	dormant programme ─┘                                                                          │
//	portfolio, authorisations, eligible combinations ───────────────────▶ Build: the schedule ◀───┘
//
// Everything here is a function of its arguments: no clock, no file, no randomness. The calendar (bank holidays) is data
// with its provenance; times of day are those of Europe/London, whatever zone the machine has.
package plan
