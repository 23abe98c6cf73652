// Package config is the configuration of the daemon: what can be set, what each
// setting means, and what is wrong with a file, by line and column.
//
// Settings come in layers, each over the one before:
//
//	defaults < file (YAML) < environment (SMETS1_BROKER_LISTEN) < flags (--broker-listen)
//
// The structs below are the only place where a key is named. From their tags
// come the names of environment variables and flags, the check of files, and the
// text of smets1d config explain:
//
//	yaml     the key
//	default  what an absent key means; absent itself where that is nothing
//	doc      what it means
//	words    the words it may be, joined by |
//	path     a file or folder; in a file it is looked for from that file's folder
//
// A key that nobody knows is a mistake, in the file as in the environment: a
// misspelt word that is quietly skipped is a setting that quietly does not hold.
package config
