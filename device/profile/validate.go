package profile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"smets1/device/internal/located"
)

var (
	nameForm    = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	groupForm   = regexp.MustCompile(`^[A-Z]{2}$`)
	flagForm    = regexp.MustCompile(`^[A-Z]{3}$`)
	tokenForm   = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,11}$`)
	versionForm = regexp.MustCompile(`^[0-9]+(\.[0-9]+)*$`)
	printable   = regexp.MustCompile(`^[!-~](?:[ -~]*[!-~])?$`)
)

// conformanceNames are the bits that a profile may ask for, by the names that
// the Green Book gives them.
var conformanceNames = []string{
	"general-protection", "general-block-transfer",
	"attribute0-supported-with-set", "priority-mgmt-supported", "attribute0-supported-with-get",
	"block-transfer-with-get", "block-transfer-with-set", "block-transfer-with-action",
	"multiple-references", "data-notification", "access",
	"get", "set", "selective-access", "event-notification", "action",
}

const (
	maxName    = 30
	maxVersion = 8
	maxDrift   = 200
	minPDU     = 64 // room for one block of one octet under ciphering
)

// Parse reads and validates one profile. file is what errors call it.
func Parse(file string, data []byte) (*Profile, error) {
	p := new(Profile)
	d, err := located.Parse(file, data, p)
	if err != nil {
		return nil, err
	}
	p.validate(d)
	if err := d.Err(); err != nil {
		return nil, err
	}
	p.Hub.fill(false)
	p.ESME.fill(false)
	if p.GSME != nil {
		p.GSME.fill(true)
	}
	return p, nil
}

func (p *Profile) validate(d *located.Doc) {
	if p.Schema != SchemaVersion {
		d.Problemf("schema", "version %d is not known; this program reads %d", p.Schema, SchemaVersion)
	}
	form(d, "name", p.Name, nameForm, "lower-case words joined by hyphens, like ioc-dlms")
	form(d, "version", p.Version, versionForm, "numbers joined by points, like 1.0 (in quotes)")
	if p.Title == "" {
		d.Problemf("title", "missing; say in a few words what this device set is")
	}
	if p.Provenance == "" {
		d.Problemf("provenance", "missing; say where the facts of this file come from")
	}
	oneOf(d, "cohort", p.Cohort, IOC, MOC, FOC)
	form(d, "group", p.Group, groupForm, "two capital letters, like AA")
	form(d, "platform", p.Platform, tokenForm, "capital letters and digits, like CGI")
	text(d, "comms", p.Comms)

	p.validateWAN(d)
	between(d, "han.timeout", p.HAN.Timeout, time.Second, 10*time.Minute)
	between(d, "han.latency", p.HAN.Latency, 0, time.Minute)
	if p.HAN.Latency*2 >= p.HAN.Timeout && p.HAN.Timeout > 0 {
		d.Problemf("han.latency", "there and back (2 × %v) must be under han.timeout (%v)", p.HAN.Latency, p.HAN.Timeout)
	}
	between(d, "keys.window", p.Keys.Window, 10*time.Second, time.Hour)
	if n := p.Keys.CounterBlock; n < 1 || n > 1<<20 {
		d.Problemf("keys.counterBlock", "%d is outside 1…%d", n, 1<<20)
	}

	p.Hub.validate(d, "hub", true)
	p.ESME.validate(d, "esme", true)
	if p.GSME != nil {
		p.GSME.validate(d, "gsme", true)
	}
	if p.IHD != nil {
		p.IHD.validate(d, "ihd", false)
	}
	seen := map[string]bool{}
	for i := range p.Quirks {
		q, at := &p.Quirks[i], fmt.Sprintf("quirks[%d].", i)
		oneOf(d, at+"id", q.ID, knownQuirks...)
		if seen[q.ID] {
			d.Problemf(at+"id", "%q is listed twice", q.ID)
		}
		seen[q.ID] = true
		if q.Text == "" {
			d.Problemf(at+"text", "missing; say what the device does")
		}
		evidence(d, at, q.Evidence, q.Source)
	}
	if p.Has(QuirkTwoMessages) != (p.WAN.Wake == WakeSMSx2) {
		d.Problemf("wan.wake", "%q and the quirk %q must agree", p.WAN.Wake, QuirkTwoMessages)
	}
}

func (p *Profile) validateWAN(d *located.Doc) {
	oneOf(d, "wan.wake", p.WAN.Wake, WakeNone, WakeSMS, WakeSMSx2)
	if p.WAN.Wake.Messages() > 0 {
		between(d, "wan.smsDelay", p.WAN.SMSDelay, 0, time.Hour)
		between(d, "wan.onlineWindow", p.WAN.OnlineWindow, 10*time.Second, 24*time.Hour)
	} else if p.WAN.Wake == WakeNone && (p.WAN.OnlineWindow != 0 || p.WAN.SMSDelay != 0 || p.WAN.SMSQuota != 0) {
		d.Problemf("wan.wake", "a hub that never sleeps has no smsDelay, smsQuota or onlineWindow")
	}
	if p.WAN.CallEvery != 0 {
		between(d, "wan.callEvery", p.WAN.CallEvery, time.Hour, 31*24*time.Hour)
		between(d, "wan.callWindow", p.WAN.CallWindow, 10*time.Second, time.Hour)
	} else if p.WAN.CallWindow != 0 {
		d.Problemf("wan.callEvery", "missing; a callWindow needs it")
	}
	if p.WAN.SMSQuota < 0 {
		d.Problemf("wan.smsQuota", "%d is negative", p.WAN.SMSQuota)
	}
}

func (v *Device) validate(d *located.Doc, at string, dlms bool) {
	text(d, at+".manufacturer", v.Manufacturer)
	text(d, at+".model", v.Model)
	if len(v.Firmware) == 0 {
		d.Problemf(at+".firmware", "no version known; write at least one")
	}
	for i := range v.Firmware {
		f, at := &v.Firmware[i], fmt.Sprintf("%s.firmware[%d].", at, i)
		text(d, at+"version", f.Version)
		if len(f.Version) > maxVersion {
			d.Problemf(at+"version", "%q has %d characters; at most %d", f.Version, len(f.Version), maxVersion)
		}
		evidence(d, at, f.Evidence, f.Source)
		for _, earlier := range v.Firmware[:i] {
			if earlier.Version == f.Version {
				d.Problemf(at+"version", "%q is listed twice", f.Version)
			}
		}
	}
	if v.DriftPPM < -maxDrift || v.DriftPPM > maxDrift {
		d.Problemf(at+".driftPPM", "%d is outside ±%d", v.DriftPPM, maxDrift)
	}
	if !dlms {
		return
	}
	form(d, at+".flag", v.Flag, flagForm, "the three capital letters of the maker's FLAG id")
	oneOf(d, at+".systemTitle", v.SystemTitle, TitleFlag, TitleEUI)
	v.DLMS.validate(d, at+".dlms.")
	if n := v.Image.BlockSize; n < 16 || n > 4096 {
		d.Problemf(at+".image.blockSize", "%d is outside 16…4096", n)
	} else if n+80 > uint32(v.DLMS.MaxPDU) {
		d.Problemf(at+".image.blockSize", "a block of %d and its wrapping (80) do not fit dlms.maxPDU %d", n, v.DLMS.MaxPDU)
	}
	v.validateMeter(d, at)
	between(d, at+".image.verify", v.Image.Verify, 0, time.Hour)
	between(d, at+".image.reboot", v.Image.Reboot, time.Second, time.Hour)
}

// validateMeter holds tables and logs to what SMETS1 has at most.
func (v *Device) validateMeter(d *located.Doc, at string) {
	for _, x := range []struct {
		field string
		v, hi int
	}{
		{"tariff.registers", v.Tariff.Registers, 48}, {"tariff.blocks", v.Tariff.Blocks, 4}, {"tariff.seasons", v.Tariff.Seasons, 16},
		{"tariff.weeks", v.Tariff.Weeks, 16}, {"tariff.days", v.Tariff.Days, 32}, {"tariff.switches", v.Tariff.Switches, 48},
		{"tariff.specialDays", v.Tariff.SpecialDays, 64},
		{"logs.halfHours", v.Logs.HalfHours, 40_000}, {"logs.exportHalfHours", v.Logs.ExportHalfHours, 40_000}, {"logs.days", v.Logs.Days, 366},
		{"logs.dailyUse", v.Logs.DailyUse, 1100}, {"logs.billing", v.Logs.Billing, 60}, {"logs.snapshots", v.Logs.Snapshots, 60},
		{"logs.voltage", v.Logs.Voltage, 20_000}, {"logs.network", v.Logs.Network, 1000}, {"logs.events", v.Logs.Events, 1000},
		{"logs.security", v.Logs.Security, 1000}, {"prepay.blocks", v.Prepay.Blocks, 3}, {"prepay.tries", v.Prepay.Tries, 100},
		{"prepay.payments", v.Prepay.Payments, 10},
	} {
		if x.v < 0 || x.v > x.hi {
			d.Problemf(at+"."+x.field, "%d is outside 0…%d", x.v, x.hi)
		}
	}
	between(d, at+".prepay.within", v.Prepay.Within, 0, 24*time.Hour)
	between(d, at+".prepay.lock", v.Prepay.Lock, 0, 7*24*time.Hour)
	if v.Prepay.Tries > 0 && v.Prepay.Lock == 0 {
		d.Problemf(at+".prepay.lock", "missing; say for how long %d wrong codes lock the keypad", v.Prepay.Tries)
	}
	for i, w := range v.Without {
		oneOf(d, fmt.Sprintf("%s.without[%d]", at, i), w, parts...)
	}
}

func (v *DLMS) validate(d *located.Doc, at string) {
	if v.LogicalDevice < 1 || v.LogicalDevice > 0x3FFF {
		d.Problemf(at+"logicalDevice", "%d is outside 1…16383", v.LogicalDevice)
	}
	for _, c := range []struct {
		field string
		sap   uint16
	}{{"clients.public", v.Clients.Public}, {"clients.management", v.Clients.Management}} {
		if c.sap < 1 || c.sap > 0x7F {
			d.Problemf(at+c.field, "%d is outside 1…127", c.sap)
		}
	}
	if v.Clients.Public == v.Clients.Management {
		d.Problemf(at+"clients.management", "the same address (%d) as the public client", v.Clients.Public)
	}
	if v.MaxPDU < minPDU {
		d.Problemf(at+"maxPDU", "%d is under %d", v.MaxPDU, minPDU)
	}
	for i, n := range v.Conformance {
		oneOf(d, fmt.Sprintf("%sconformance[%d]", at, i), n, conformanceNames...)
	}
	for _, n := range []string{"get", "set", "action"} {
		if !slices.Contains(v.Conformance, n) {
			d.Problemf(at+"conformance", "%q is missing; no device of this generation works without", n)
		}
	}
	if v.Suite != 0 {
		d.Problemf(at+"suite", "%d: devices of this generation have suite 0", v.Suite)
	}
	oneOf(d, at+"policy", v.Policy, ProtectNone, ProtectAuthenticate, ProtectEncrypt, ProtectBoth)
	if len(v.Links) == 0 {
		d.Problemf(at+"links", "missing; write wrapper, hdlc or both")
	}
	for i, l := range v.Links {
		oneOf(d, fmt.Sprintf("%slinks[%d]", at, i), l, LinkWrapper, LinkHDLC)
	}
}

func form(d *located.Doc, field, s string, want *regexp.Regexp, say string) {
	if s == "" {
		d.Problemf(field, "missing; write %s", say)
	} else if !want.MatchString(s) {
		d.Problemf(field, "%q is not %s", s, say)
	}
}

// text holds what may stand on a nameplate: visible ASCII, 1 to 30 characters.
func text(d *located.Doc, field, s string) {
	switch {
	case s == "":
		d.Problemf(field, "missing")
	case len(s) > maxName:
		d.Problemf(field, "%d characters; at most %d", len(s), maxName)
	case !printable.MatchString(s):
		d.Problemf(field, "%q: only visible ASCII, with no space at either end", s)
	}
}

func evidence(d *located.Doc, at string, e Evidence, source string) {
	oneOf(d, at+"evidence", e, Published, Recalled, Ours)
	if e == Published && source == "" {
		d.Problemf(at+"source", "missing; a published fact names its document")
	}
}

func oneOf[S ~string](d *located.Doc, field string, s S, of ...S) {
	if slices.Contains(of, s) {
		return
	}
	names := make([]string, len(of))
	for i := range of {
		names[i] = string(of[i])
	}
	if s == "" {
		d.Problemf(field, "missing; one of %s", strings.Join(names, ", "))
		return
	}
	d.Problemf(field, "%q is not one of %s", s, strings.Join(names, ", "))
}

func between(d *located.Doc, field string, v, lo, hi time.Duration) {
	if v < lo || v > hi {
		d.Problemf(field, "%v is outside %v…%v", v, lo, hi)
	}
}
