//go:build race

package rekey

// thinned: the race detector makes each run ten times as slow, and finds in a
// part of the pairs of disturbances what it would find in all.
const thinned = 12
