// Package engine takes installations through the migration: it reads the
// documents of a programme, plans days, and drives every home over MQTT alone
// through preparation, data validation, device testing and commissioning.
//
// # What flows where
//
//	inputs (files) ──▶ intake ──▶ installations ─┐
//	                                             ▼
//	           journal (store) ◀── day: authorise ▸ prepare ▸ files ▸ validate ▸ test ▸ keys ▸ commission ▸ close
//	                                             │                                    │
//	                                     file set (XML, signed)             Remote ──MQTT──▶ gateway
//
// The engine knows devices through the contract of gateway/topic and through
// nothing else, so it runs as well against somebody else's gateway.
//
// # Crash and restart
//
// An installation moves along an edge of migration/lifecycle and the move is
// in the journal before anything that follows from it. A command to a home
// carries an id made of the run, the home, the attempt and the step, so that
// asking again after a crash gets the stored result and never a second
// execution. A file of a file set is written whole, recorded by digest, and
// then used by what is on disk. Run can therefore be killed anywhere and
// called again: each phase takes the installations that stand where it begins.
package engine
