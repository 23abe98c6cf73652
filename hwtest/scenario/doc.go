// Package scenario is what a hardware-in-the-loop test does, and what it wants to see.
//
// A scenario is one txtar file. What stands before its first file says in prose what is tested and why; then come
//
//	-- scenario.yaml --   the steps
//	-- fleet.yaml --      the home, where one is simulated; absent: a home of the built-in manifest
//	-- faults.yaml --     what goes wrong on the line (transport/fault); absent: nothing
//
// and the steps are commands of the MQTT contract (gateway/topic), and a few things that no command can do:
//
//	needs: [hub, esme]              what the home must have; no home that has it: the scenario does not run
//	clauses: ["SMETS1: clock"]        what it proves
//	irreversible: true              it takes a step that cannot be undone: hardware must allow it
//	timeout: 10m                    for all of it, by the clock of the home; absent: an hour
//	steps:
//	  - name: the meter counts
//	    do: read                    a verb of the contract
//	    device: esme
//	    args: {items: [{class: 3, obis: 1-0:1.8.0.255, attribute: 2}]}
//	    expect:
//	      items[0].unit: Wh         the member of the result, and what it must be: a value,
//	      items[0].scaled: {min: 0} or {min:, max:, matches:, not:, one_of:, present:}
//	    measure:
//	      import: {of: items[0].scaled, unit: Wh, max: 100000000}
//	    save: {before: items[0].scaled}
//	    within: 30s
//	  - do: keys.prove
//	    fails: key-refused          the command must fail, with this code
//	  - power: esme                 the device loses its power
//	    off: 10s
//	  - wait: 30m
//	  - conform: esme               conformance tests of dlms/server/ctt
//	    suite: APPL
//	    except: {APPL_OPEN_4: why it cannot hold here}
//
// In a path, [0] is an element by number and [esme] the element whose device or role it is. ${before} stands for what an
// earlier step saved; what the bench gives by itself is in [Rig].
//
// [Scenario.Run] runs on a [Rig]: a simulated home, a home behind a pty, a recorded trace, a hub on a bench. It does not
// know which.
package scenario
