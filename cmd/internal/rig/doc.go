// Package rig puts a home and a gateway together for scenarios (hwtest/scenario):
//
//	Sim      a virtual home, over lines in memory
//	PTY      a virtual home behind a pseudo-terminal, as behind a cable
//	Replay   a recorded conversation in place of the home
//	Bench    a hub of a bench's inventory
//
// The gateway is the same in all of them: sessions, verbs, a queue and a key store, without a broker. With a restart it
// is closed in the middle of a command, and begun anew from its store.
package rig
