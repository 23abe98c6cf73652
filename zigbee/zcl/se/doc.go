// Package se is the clusters of Smart Energy (profile 0109): every command as a struct, every attribute as an entry of a
// table, the image files of OTA upgrades, and which cluster needs link-key security. All numbers travel low octet first.
//
// A command's comment shows its payload, with lengths in octets; what is in brackets may be missing. Each command has an
// AppendBinary and a ParseX; [Parse] finds the right one for a [Key], which is cluster, direction and command identifier.
// One file holds one cluster; general.go and others.go hold those of a command or two.
//
//	frame := zcl header, payload
//	key := se.Key{Cluster: se.Metering, FromServer: h.FromServer, ID: h.Command}
//	cmd, _, err := se.Parse(key, frame.Payload)
//
// Which clusters a device has depends on its age: British SMETS1 homes are of Smart Energy 1.0 and 1.1 (recalled), while
// Calendar, Device Management, Events and two-way mirrors are of 1.2 and later.
//
// Source: Smart Energy profile 07-5356, annex D, and ZCL 075123 (published). Layouts were compared with what TShark 4.0.17
// decodes; what could not be is marked recalled.
package se
