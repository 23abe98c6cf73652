// Package zcl is the foundation of the ZigBee cluster library: the frame header, the data types, the global commands that
// read, write, report and discover attributes, and the status codes. What the single clusters add is in package se. All
// numbers travel low octet first.
//
//	frameControl(1) [manufacturer(2)] sequence(1) command(1) payload
//
//	frame control  0-1 type (0 global, 1 of the cluster), 2 manufacturer specific, 3 direction (1 from server to client),
//	               4 disable default response
//
// [ParseFrame] reads a frame without allocating; [ParseGlobal] reads the payload of a global command. Values are [Value]:
// a data type with a number, octets or members.
//
// Source: ZigBee cluster library 075123, chapter 2 (published).
package zcl
