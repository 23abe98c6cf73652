// Package verbs does the work of the commands for hubs: it is where the MQTT
// contract (gateway/topic), the queue (gateway/job), the conversation with a home
// (gateway/session), the keys and the firmware come together.
//
// Each verb is a job.Handler. A verb that looks at several devices gives each its
// own outcome; the command itself fails when the hub does, or, for the verbs that
// change keys or firmware, when a device does. What an error means in codes of the
// contract stands in one table, in codes.go.
//
// A command that is resumed after a restart asks the device before it does
// anything: upgrades go on from the checkpoint through firmware/upgrade, changes of
// keys from their journal through gateway/rekey, and all other verbs are reads, or
// writes that may be repeated.
package verbs
