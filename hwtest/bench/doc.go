// Package bench is the inventory of a test bench: which hubs there are, who may have one, and how its power is switched.
//
//	bench: leeds-1
//	hubs:
//	  - name: hub-a
//	    address: serial://usb?serial=A50285BI&interface=0&driver=native
//	    eui: 00-DB-12-34-56-78-90-A0          who must answer before anything irreversible
//	    profile: ioc-dlms                      a device set; absent: the common one
//	    devices: {esme: 00-DB-12-34-56-78-90-A1, gsme: 00-DB-12-34-56-78-90-A2}
//	    has: [prepayment]                      beside hub and devices
//	    keys: keys/hub-a.json                  a handover file, from the inventory's folder
//	    irreversible: allowed                  firmware and keys may be changed; absent: they may not
//	    power: {uhubctl: {location: 1-1, port: 2}}
//	    offline: the flash is worn out         nobody gets it until this line is gone
//	quarantine:
//	  - {scenario: esme-firmware, hub: hub-a, owner: j.smith, until: 2026-12-31, reason: ticket 812}
//
// A hub is known by what it keeps: the serial number and interface of its USB device, or its address on the network. A
// name like /dev/ttyUSB0 is refused, because the next re-plug may give it to another hub.
//
// # Who has a hub
//
// [Lease] is one file for each hub in a folder that all users of the machine share. Whoever runs something on the hub
// holds the file's lock, which ends with the process, however it ends. A reservation is written into the file and ends
// with its time; the lock is not needed for it. So two runners never talk to one hub at a time, and one that was killed
// leaves nothing behind but a reservation that runs out.
package bench
