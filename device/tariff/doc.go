// Package tariff is the switching table of a meter: which of its registers counts
// at a time, and what a unit costs there.
//
//	special day? ─▶ day profile ─▶ switch points ─▶ register 1 … 48
//	season ─▶ week ─▶ weekday ─┘
//
// A [Calendar] is that table, in the shape of the activity calendar (class 20) and
// the special days table (class 11) of the Blue Book; a day profile's selector is
// the register. It knows nothing of a meter and keeps no state: a register at a time
// is a function of the time. Tariffs run on local time (published, Liberty 100
// manual page 29), and [Local] is the wall clock of Great Britain by rule, without a
// zone database.
//
// [Prices] are what registers and blocks cost, in millipence. Everything is integer.
// The package may change.
package tariff
