//go:build !race

package rekey

// thinned: without the race detector every pair of disturbances is run.
const thinned = 1
