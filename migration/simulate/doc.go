// Package simulate rehearses a whole programme in virtual time: months of
// weekly demand, allocation, authorisation, notices and migration days over a
// portfolio whose homes change supplier and fail by rate.
//
//	every Tuesday     suppliers commit demand for the four weeks from the Monday in 13 days
//	every Thursday    the responses are published
//	every Wednesday   suppliers authorise homes for the next week, some more and some less than they were given
//	every Friday      what nobody has authorised is offered again
//	every day         meters change supplier; the engine runs the day
//
// It is the engine of package engine that runs the days, on documents in a
// folder, by the rules of package plan; only the homes are not there: a
// gateway answers for them as chance has it. Chance comes from a seed, so a
// simulation can be repeated. What was forecast before the start is laid beside
// what then happened. The behaviour of suppliers and homes is invented.
package simulate
