package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"smets1/device/fleet"
	"smets1/internal/clock"
)

type benchOptions struct {
	homes   []int
	clients int
	live    int
	budget  time.Duration
	json    bool
}

func newBenchCommand() *cobra.Command {
	o := benchOptions{}
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure what this machine can do: homes, memory, requests, commands, virtual days",
		Long: `bench prints the figures that the project claims, measured here and now, so that
anybody can hold them against his own machine. Each is made by the very code that serves
and drives homes; nothing is left out for speed. The anchor is a bare TCP echo of
messages of the size of a ciphered GET, which takes turns with what is measured: when the
machine is busy with other things, the echo is slower too. Read the ratios.

Homes are dual fuel with a display. They begin at rest; "talked" are homes that a client
wrote to and that rest again. Requests go to the hubs, over TCP on loopback, from as
many clients as --clients at once, each with its own connection and association, and
all of them, server and clients, share the machine. Commands go the whole way: MQTT,
queue on disk, DLMS, device, and the result back over MQTT.

A virtual day is what homes do by themselves: with the HAN in memory their devices
wake every half hour, do what came due and write their logs; on the air they also send
and hear every frame of the day, ciphered, which is some 40,000 for a home. It is
measured for --budget, or for the whole day if that takes less.`,
		Example: `  smets1 bench
  smets1 bench --homes 1000,100000 --budget 1s
  smets1 bench --json > bench.json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return o.run(c.Context(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.IntSliceVar(&o.homes, "homes", []int{1_000, 10_000, 100_000, 1_000_000}, "sizes of the fleets")
	f.IntVar(&o.clients, "clients", 100, "TCP clients at once")
	f.IntVar(&o.live, "live", 10_000, "live homes with the HAN in memory; a hundredth of them on the air")
	f.DurationVar(&o.budget, "budget", 3*time.Second, "how long each rate is measured")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

// benchReport is all that was measured.
type benchReport struct {
	Machine benchMachine   `json:"machine"`
	Fleets  []benchFleet   `json:"fleets"`
	Traffic []benchTraffic `json:"traffic"`
	Days    []benchDays    `json:"virtualDays"`
}

type benchMachine struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	System  string `json:"system"`
	Cores   int    `json:"cores"`
	CPU     string `json:"cpu"`
	Load    string `json:"load,omitempty"` // average over a minute when the run began, on Linux
	When    string `json:"when"`
}

// benchFleet is a fleet of some size.
type benchFleet struct {
	Homes      int     `json:"homes"`
	Start      float64 `json:"startSeconds"` // until the first, the middle and the last home have answered
	Rest       float64 `json:"bytesAtRest"`  // of heap, each
	Talked     float64 `json:"bytesTalked"`  // of heap, each that was talked to and rests
	Goroutines int     `json:"goroutines"`

	Plain        float64 `json:"plainGetsPerSecond"`
	PlainEcho    float64 `json:"echoesBesidePlain"`
	Ciphered     float64 `json:"cipheredGetsPerSecond"`
	CipheredEcho float64 `json:"echoesBesideCiphered"`
}

// benchTraffic is how often something was done over TCP.
type benchTraffic struct {
	What    string  `json:"what"`
	Clients int     `json:"clients"`
	Rate    float64 `json:"perSecond"`
	Echo    float64 `json:"echoesBeside"` // a second, of a bare TCP echo in turn with it
}

// benchDays is what it costs that homes live.
type benchDays struct {
	Homes    int     `json:"homes"`
	HAN      string  `json:"han"`
	Displays bool    `json:"displays"`
	Start    float64 `json:"startSeconds"`
	Bytes    float64 `json:"bytesInMemory"`     // of heap, each
	HomeDays float64 `json:"homeDaysPerMinute"` // homes times virtual days
	Frames   float64 `json:"framesPerSecond"`   // on the air, of all homes
	PerDay   float64 `json:"framesPerHomeAndDay"`
	DayTakes float64 `json:"secondsForAVirtualDay"`
}

func (o *benchOptions) run(ctx context.Context, out, progress io.Writer) error {
	for _, n := range o.homes {
		if n < 1 || n > fleet.MaxHomes {
			return usageError{fmt.Errorf("--homes %d: give 1 to %d", n, fleet.MaxHomes)}
		}
	}
	if o.clients < 1 || o.live < 1 || o.budget <= 0 {
		return usageError{fmt.Errorf("--clients %d, --live %d, --budget %v: give more than nothing", o.clients, o.live, o.budget)}
	}
	r := benchReport{Machine: thisMachine()}
	say := func(format string, args ...any) { fmt.Fprintf(progress, format+"\n", args...) }
	for _, n := range o.homes {
		say("%d homes", n)
		f, err := o.fleet(ctx, n)
		if err != nil {
			return err
		}
		r.Fleets = append(r.Fleets, f)
	}
	say("requests")
	traffic, err := o.traffic(ctx)
	if err != nil {
		return err
	}
	say("commands over MQTT")
	commands, err := o.commands(ctx)
	if err != nil {
		return err
	}
	r.Traffic = append(traffic, commands)
	for _, d := range []benchDays{
		{Homes: o.live, HAN: fleet.HANMemory}, {Homes: max(o.live/100, 1), HAN: fleet.HANRadio}, {Homes: max(o.live/100, 1), HAN: fleet.HANRadio, Displays: true},
	} {
		say("virtual days of %d homes, HAN %s", d.Homes, d.HAN)
		if err := o.days(ctx, &d); err != nil {
			return err
		}
		r.Days = append(r.Days, d)
	}
	if o.json {
		return printJSON(out, r)
	}
	return r.print(out)
}

func (r *benchReport) print(out io.Writer) error {
	m := &r.Machine
	fmt.Fprintf(out, "smets1 %s, %s, %s, %d cores (%s), %s", m.Version, m.Go, m.System, m.Cores, m.CPU, m.When)
	if m.Load != "" {
		fmt.Fprintf(out, ", load %s", m.Load)
	}
	fmt.Fprint(out, "\n\n")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "homes\tstart s\tB at rest\tB talked, at rest\tgoroutines\tGET/s plain\tx echo\tGET/s ciphered\tx echo\t")
	for _, f := range r.Fleets {
		fmt.Fprintf(w, "%d\t%.3f\t%.1f\t%.0f\t%d\t%.0f\t%.2f\t%.0f\t%.2f\t\n", f.Homes, f.Start, f.Rest, f.Talked, f.Goroutines,
			f.Plain, f.Plain/f.PlainEcho, f.Ciphered, f.Ciphered/f.CipheredEcho)
	}
	fmt.Fprintln(w, "\t\t\t\t\t\t\t\t\t")
	fmt.Fprintln(w, "10000 homes\tclients\tper second\techo\tx echo\t")
	for _, t := range r.Traffic {
		fmt.Fprintf(w, "%s\t%d\t%.0f\t%.0f\t%.3f\t\n", t.What, t.Clients, t.Rate, t.Echo, t.Rate/t.Echo)
	}
	fmt.Fprintln(w, "\t\t\t\t\t")
	fmt.Fprintln(w, "live homes\tHAN\tdisplays\tstart s\tB each\tvirtual day s\tdays/min\tframes/s\tframes/home/day\t")
	for _, d := range r.Days {
		displays := "off"
		if d.Displays {
			displays = "on"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%.2f\t%.0f\t%.1f\t%.2f\t%.0f\t%.0f\t\n", d.Homes, d.HAN, displays, d.Start, d.Bytes, d.DayTakes, 60/d.DayTakes, d.Frames, d.PerDay)
	}
	return w.Flush()
}

func thisMachine() benchMachine {
	m := benchMachine{
		Version: version(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.GOMAXPROCS(0), CPU: "unknown",
		When: clock.Real().Now().Format(time.RFC3339),
	}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				m.CPU = strings.TrimSpace(v)
				break
			}
		}
	}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(b), " ")
	}
	return m
}

// benchManifest is homes of one kind. Their identities do not depend on how many they are.
func benchManifest(homes int, live, displays bool) (*fleet.Manifest, error) {
	yes := func(b bool) string {
		if b {
			return `"yes"`
		}
		return `"no"`
	}
	return fleet.ParseManifest("bench", []byte(`schema: 1
name: bench
seed: 1
start: 2019-07-15T07:00:00Z
cohorts:
  - {name: foc, profile: foc-mesh, count: `+strconv.Itoa(homes)+`, live: `+yes(live)+`, display: `+yes(displays)+`}
`))
}

// liveHeap is what is alive.
func liveHeap() float64 {
	debug.FreeOSMemory() // and a collection with it
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return float64(s.HeapAlloc)
}

// seconds since a time of the machine.
func seconds(since time.Time) float64 { return clock.Real().Now().Sub(since).Seconds() }
