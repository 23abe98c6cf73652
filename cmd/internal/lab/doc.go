// Package lab wires the rooms of the house together for the commands: here,
// and only here, the far side (virtual homes) is handed to the near side (the
// gateway) as addresses that it can dial.
package lab
