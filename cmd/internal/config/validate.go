package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"smets1/device/fleet"
	"smets1/device/profile"
	"smets1/gateway/keystore"
	"smets1/gateway/topic"
	"smets1/internal/wire"
	"smets1/transport/serial"
)

// validate checks what values mean.
func (ld *loader) validate(c *Config) {
	if c.State == "" {
		ld.problem("state", "name a folder")
	}
	if err := topic.CheckFleet(c.Fleet.Name); err != nil {
		ld.problem("fleet.name", "%s", plainTopic(err))
	}
	if err := topic.CheckNode(c.Fleet.Node); err != nil {
		ld.problem("fleet.node", "%s", plainTopic(err))
	}
	ld.broker(&c.Broker)
	ld.hubs(c.Hubs)
	ld.homes(&c.Homes, len(c.Hubs) > 0)
	ld.keys(&c.Keys)
	ld.firmware(&c.Firmware)
	ld.sessions(&c.Sessions)
	ld.queue(&c.Queue)
	if len(c.SMS.Command) > 0 && c.SMS.Command[0] == "" {
		ld.problem("sms.command[0]", "name a program")
	}
	ld.metrics(&c.Metrics)
}

func plainTopic(err error) string { return strings.TrimPrefix(err.Error(), "topic: ") }

func (ld *loader) broker(b *Broker) {
	ld.tls("broker.tls", b.TLS, b.URL != "")
	if b.URL != "" {
		ld.brokerURL(b)
		return
	}
	if len(b.Clients) > 0 {
		ld.problem("broker.clients", "these are for a broker by url; the roles of the embedded one stand in broker.users")
	}
	if b.User != "" || b.PasswordFile != "" {
		at := "broker.user"
		if b.User == "" {
			at = "broker.password-file"
		}
		ld.problem(at, "this is for a broker by url; who may connect to the embedded one stands in broker.users")
	}
	ld.listener("broker.listen", b.Listen, !b.TLS.IsZero(), len(b.Users) > 0, b.Insecure, "tls and users")
	seen := map[string]int{}
	for i, u := range b.Users {
		at := fmt.Sprintf("broker.users[%d]", i)
		switch first, dup := seen[u.Name]; {
		case u.Name == "":
			ld.problem(at+".name", "a user needs a name")
		case u.Name == "smets1-inside":
			ld.problem(at+".name", "this name is the broker's own: choose another")
		case dup:
			ld.problem(at+".name", "%q is there already, as user %d", u.Name, first+1)
		default:
			seen[u.Name] = i
		}
		ld.roles(at+".roles", u.Roles)
		if len(u.Roles) > 0 && topic.CheckClient(u.Name) != nil {
			ld.problem(at+".name", "a user with roles names its reply topic: use letters, digits, - and _")
		}
		if u.PasswordFile == "" {
			ld.problem(at+".password-file", "a user needs a password")
		} else {
			ld.secret(at+".password-file", u.PasswordFile)
		}
	}
}

func (ld *loader) roles(at string, roles []string) {
	for i, r := range roles {
		if _, err := topic.ParseRole(r); err != nil {
			ld.problem(fmt.Sprintf("%s[%d]", at, i), "%s", plainTopic(err))
		}
	}
}

func (ld *loader) clients(clients []Client) {
	seen := map[string]bool{}
	for i, c := range clients {
		at := fmt.Sprintf("broker.clients[%d]", i)
		if err := topic.CheckClient(c.Name); err != nil {
			ld.problem(at+".name", "%s", plainTopic(err))
		} else if seen[c.Name] {
			ld.problem(at+".name", "%q is there already", c.Name)
		}
		seen[c.Name] = true
		ld.roles(at+".roles", c.Roles)
	}
}

// PermitAll as an entry of a hub's permit means every verb.
const PermitAll = "all"

func (ld *loader) permit(at string, verbs []string) {
	for i, v := range verbs {
		if info, ok := topic.Verb(v).Info(); v != PermitAll && (!ok || !info.Irreversible) {
			ld.problem(fmt.Sprintf("%s[%d]", at, i), "%q is no verb with a step that cannot be undone: there are firmware.upgrade, keys.takeover, keys.rollback, keys.repair, hub.repoint, or all", v)
		}
	}
}

func (ld *loader) brokerURL(b *Broker) {
	ld.clients(b.Clients)
	if ld.changed("broker.listen") {
		ld.problem("broker.listen", "there is a broker.url: keep the one that you mean")
	}
	if len(b.Users) > 0 {
		ld.problem("broker.users", "these are for the embedded broker; name this gateway's own by broker.user and broker.password-file")
	}
	u, err := url.Parse(b.URL)
	switch {
	case err != nil || u.Host == "":
		ld.problem("broker.url", "%q is not a URL like tcp://broker.example:1883", b.URL)
		return
	case u.User != nil:
		ld.problem("broker.url", "there are credentials in it, and URLs end up in logs: use broker.user and broker.password-file")
		return
	}
	secure := false
	switch u.Scheme {
	case "ssl", "mqtts", "wss":
		secure = true
	case "tcp", "mqtt", "ws":
	default:
		ld.problem("broker.url", "%q is no scheme of MQTT: use tcp, ssl, ws or wss", u.Scheme)
		return
	}
	if !secure && !b.TLS.IsZero() {
		ld.problem("broker.tls", "the url %s:// has no TLS: use ssl:// or wss://", u.Scheme)
	}
	if (b.User == "") != (b.PasswordFile == "") {
		ld.problem("broker.user", "broker.user and broker.password-file go together")
	}
	if b.PasswordFile != "" {
		ld.secret("broker.password-file", b.PasswordFile)
		if !secure && !Loopback(u.Hostname()) && !b.Insecure {
			ld.problem("broker.url", "the password would cross the network in clear: use ssl:// or wss://, or say broker.insecure: true")
		}
	}
}

// listener checks an address to listen at.
func (ld *loader) listener(at, address string, secure, credentials, insecure bool, needs string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		ld.problem(at, "%q is not host:port", address)
		return
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		ld.problem(at, "the port %q is not a number from 0 to 65535", port)
		return
	}
	if !Loopback(host) && !insecure && (!secure || !credentials) {
		ld.problem(at, "%q is not loopback: set %s, or insecure: true beside it if anybody on that network may", address, needs)
	}
}

// Loopback tells whether a host is this machine's own network.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func (ld *loader) tls(at string, t TLS, client bool) {
	switch {
	case (t.Cert == "") != (t.Key == ""):
		ld.problem(at, "cert and key go together")
	case t.Cert == "" && t.CA != "" && !client:
		ld.problem(at, "a listener with ca needs cert and key too")
	}
	if t.Cert != "" && t.Key != "" {
		if !ld.secret(at+".key", t.Key) {
			return
		}
		if _, err := tls.LoadX509KeyPair(t.Cert, t.Key); err != nil {
			ld.problem(at+".cert", "%v", err)
		}
	}
	if t.CA != "" {
		if _, err := pool(t.CA); err != nil {
			ld.problem(at+".ca", "%v", err)
		}
	}
}

func pool(path string) (*x509.CertPool, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s has no certificate in PEM", path)
	}
	return p, nil
}

// secret checks a file that nobody else may read.
func (ld *loader) secret(at, path string) bool {
	err := CheckSecret(path)
	if err != nil {
		ld.problem(at, "%v", err)
	}
	return err == nil
}

// CheckSecret checks that a file is there and that nobody but its owner may read it.
func CheckSecret(path string) error {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case st.IsDir():
		return fmt.Errorf("%s is a folder", path)
	case st.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("others may read %s (mode %#o): chmod 600 it", path, st.Mode().Perm())
	case st.Size() == 0:
		return fmt.Errorf("%s is empty", path)
	}
	return nil
}

var profiles = profile.Builtin()

func (ld *loader) hubs(hubs []Hub) {
	euis, ports := map[wire.EUI64]string{}, map[string]int{}
	unique := func(at string, e wire.EUI64) {
		first, dup := euis[e]
		switch {
		case e.IsZero():
			ld.problem(at+".eui", "this needs an EUI-64 like 00-DB-12-34-56-78-90-A0")
		case dup:
			ld.problem(at+".eui", "%s is taken by %s", e, first)
		default:
			euis[e] = at
		}
	}
	for i, h := range hubs {
		at := fmt.Sprintf("hubs[%d]", i)
		unique(at, h.EUI)
		ld.permit(at+".permit", h.Permit)
		ld.address(at+".address", h.Address)
		if first, dup := ports[lineOf(h.Address)]; dup {
			ld.problem(at+".address", "hub %d is on this line already", first+1)
		} else if h.Address != "" {
			ports[lineOf(h.Address)] = i
		}
		if h.Wake != "none" && h.MSISDN == "" {
			ld.problem(at+".wake", "a hub that is woken by text message needs its msisdn")
		}
		if strings.Trim(strings.TrimPrefix(h.MSISDN, "+"), "0123456789") != "" || h.MSISDN == "+" {
			ld.problem(at+".msisdn", "%q is not a telephone number like +447700900123", h.MSISDN)
		}
		if h.Profile != "" {
			if _, ok := profiles.Get(h.Profile); !ok {
				ld.problem(at+".profile", "no profile is named %q%s; there are %s", h.Profile, didYouMean(h.Profile, profiles.Names()), strings.Join(profiles.Names(), ", "))
			}
		}
		roles := map[string]bool{}
		for j, d := range h.Devices {
			at := fmt.Sprintf("%s.devices[%d]", at, j)
			unique(at, d.EUI)
			switch {
			case d.Type == "":
				ld.problem(at+".type", "say what it is: esme, gsme or ihd")
			case roles[d.Type]:
				ld.problem(at+".type", "this home has one %s already", d.Type)
			}
			roles[d.Type] = true
		}
	}
}

// lineOf is what of an address two hubs cannot share.
func lineOf(address string) string {
	if l, err := serial.ParseURL(address); err == nil {
		return "serial " + l.Name
	}
	return address
}

func (ld *loader) address(at, address string) {
	scheme, _, _ := strings.Cut(address, ":")
	switch scheme {
	case "":
		ld.problem(at, "a hub needs an address: tcp://host:4059, tcp+hdlc://host:port or serial:///dev/serial/by-id/…?baud=9600")
	case "serial":
		if _, err := serial.ParseURL(address); err != nil {
			ld.problem(at, "%s", strings.TrimPrefix(err.Error(), "serial: "))
		}
	case "tcp", "tcp+hdlc":
		u, err := url.Parse(address)
		if err != nil || u.Hostname() == "" || u.Port() == "" {
			ld.problem(at, "%q is not %s://host:port", address, scheme)
		} else if u.Path != "" || u.RawQuery != "" || u.User != nil {
			ld.problem(at, "%q has something after host:port", address)
		}
	default:
		ld.problem(at, "%q is no way to a hub: use tcp://, tcp+hdlc:// or serial:", scheme)
	}
}

func (ld *loader) homes(h *Homes, hubs bool) {
	if !(h.Speed > 0 && h.Speed <= 3600) {
		ld.problem("homes.speed", "%v is not above 0 and up to 3600", h.Speed)
	}
	ld.between("homes.dlms-port", h.Port, 0, 65535)
	if h.Owner == "" {
		ld.problem("homes.owner", "say whose keys they are")
	}
	if h.Manifest == "" {
		for _, key := range []string{"speed", "dlms-port", "pty-dir", "owner"} {
			if ld.changed("homes." + key) {
				ld.problem("homes."+key, "there are no homes: name a homes.manifest")
				return
			}
		}
		return
	}
	if hubs {
		ld.problem("homes.manifest", "there are hubs too: their clocks would be set to the virtual time of the homes; run two daemons, each with its own state, fleet.node and addresses")
	}
	if _, err := fleet.LoadManifest(h.Manifest); err != nil {
		ld.problem("homes.manifest", "%v", err)
	}
}

func (ld *loader) keys(k *Keys) {
	if k.RootFile != "" && k.RootEnv != "" {
		ld.problem("keys.root-env", "there is a keys.root-file too: keep the one that you mean")
	}
	if k.RootFile != "" {
		if err := CheckSecret(k.RootFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
			ld.problem("keys.root-file", "%v", err)
		}
	}
	if k.RootPassphraseFile != "" && (k.RootFile != "" || k.RootEnv != "") {
		ld.problem("keys.root-passphrase-file", "there is a root key too: keep the one that you mean")
	}
	if k.RootEnv != "" {
		if _, err := keystore.RootEnv(k.RootEnv); err != nil {
			ld.problem("keys.root-env", "%v", err)
		}
	}
	for i, path := range k.Import {
		at := fmt.Sprintf("keys.import[%d]", i)
		if !ld.secret(at, path) {
			continue
		}
		b, err := os.ReadFile(path)
		if err == nil {
			_, err = keystore.ParseHandover(b)
		}
		if err != nil {
			ld.problem(at, "%s: %v", path, err)
		}
	}
}

func (ld *loader) firmware(f *Firmware) {
	if f.Dir == "" {
		return
	}
	if st, err := os.Stat(f.Dir); err != nil {
		ld.problem("firmware.dir", "%v", err)
	} else if !st.IsDir() {
		ld.problem("firmware.dir", "%s is not a folder", f.Dir)
	}
}

func (ld *loader) sessions(s *Sessions) {
	for _, x := range []struct {
		at         string
		d          time.Duration
		least, top time.Duration
	}{
		{"sessions.timeout", s.Timeout, time.Second, 10 * time.Minute},
		{"sessions.viability", s.Viability, time.Second, 7 * 24 * time.Hour},
		{"sessions.idle", s.Idle, time.Second, 24 * time.Hour},
	} {
		if x.d < x.least || x.d > x.top {
			ld.problem(x.at, "%s is outside %s…%s", x.d, x.least, x.top)
		}
	}
}

func (ld *loader) queue(q *Queue) {
	ld.between("queue.concurrency", q.Concurrency, 1, 10_000)
	ld.between("queue.max-queued", q.MaxQueued, 1, 1_000_000)
	ld.between("queue.max-per-hub", q.MaxPerHub, 1, 10_000)
	if q.ResultTTL < time.Minute {
		ld.problem("queue.result-ttl", "%s is less than a minute: a command that is delivered twice would run twice", q.ResultTTL)
	}
}

func (ld *loader) metrics(m *Metrics) {
	ld.tls("metrics.tls", m.TLS, false)
	if (m.User == "") != (m.PasswordFile == "") {
		ld.problem("metrics.user", "metrics.user and metrics.password-file go together")
	}
	if m.PasswordFile != "" {
		ld.secret("metrics.password-file", m.PasswordFile)
	}
	if m.Listen != Off {
		ld.listener("metrics.listen", m.Listen, !m.TLS.IsZero(), m.User != "", m.Insecure, "tls and user")
	}
}

// Off as metrics.listen means none.
const Off = "off"

func (ld *loader) between(at string, n, least, top int) {
	if n < least || n > top {
		ld.problem(at, "%d is outside %d…%d", n, least, top)
	}
}
