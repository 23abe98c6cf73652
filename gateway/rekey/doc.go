// Package rekey changes the keys of a device so that, whatever dies or gets
// lost, at least one key set in the store opens it.
//
//	generate ▶ seal as pending ▶ transfer, wrapped under the KEK ▶ prove with a
//	fresh association under the new set ▶ commit ▶ pending becomes current,
//	current previous ▶ prove that the old set is refused
//
// GUEK, GAK and KEK change together. From the transfer to the commit both sets
// open the device; if no commit arrives in its window, or its power fails, the
// device drops the new one. The commit is accepted under the new set alone, so
// only who proved to have it can make it the only one.
//
// # Who knows what
//
// The [Journal] says what was intended, the key store says which sets exist, and
// the device says which of them opens it and whether a change is under way.
// The device is asked whenever there is a doubt: after an error, and before
// anything after a restart.
//
//	pending opens, no change under way   the commit happened: promote
//	pending opens, change under way      commit
//	pending refused, current opens       the device dropped it: drop it too, Aborted
//	neither, previous opens              the device was set back: Aborted, see Prove
//	none opens                           nothing can be said: in doubt once a commit may have
//	                                     been sent, else refused
//	no answer                            ask again, until Patience ends
//
// A message that comes late does no harm: a transfer that arrives after its set
// was dropped lapses for want of a commit, and a commit that arrives twice is
// refused the second time, after which the device is asked.
//
// # Limit of a rollback
//
// A rollback gives the device keys that were in use before, because their owner
// knows no others. The gateway's counters under them go on where they were, so no
// nonce comes twice; but a device begins to count what it receives anew with each
// set, so what was recorded under those keys could be replayed to it until the
// gateway has spoken. The gateway does so at once, to prove the set.
//
// The class of the change object, 8300, and the supervised window are ours; a
// device without them takes new keys at once, and the sequence is then the same
// without the commit.
package rekey
