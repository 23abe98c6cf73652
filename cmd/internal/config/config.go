package config

import (
	"time"

	"smets1/internal/wire"
)

// Config is everything that can be set. Load gives one with defaults filled in.
type Config struct {
	State    string   `yaml:"state" default:"state" path:"y" doc:"Folder of everything that must last: broker, commands, keys, firmware. Back it up. One daemon at a time may use it."`
	Fleet    Fleet    `yaml:"fleet" doc:"Names in the MQTT topics: smets1/v1/<name>/…"`
	Broker   Broker   `yaml:"broker" doc:"The MQTT broker: the embedded one, which listens, or another one by url."`
	Hubs     []Hub    `yaml:"hubs" doc:"Hubs to talk to, real or offered by another program. Not together with homes: virtual time must not become the time of real meters."`
	Homes    Homes    `yaml:"homes" doc:"Virtual homes in this process, each on a loopback address of its own."`
	Keys     Keys     `yaml:"keys" doc:"The keys of the devices. They lie in the state folder, sealed under the root key."`
	Firmware Firmware `yaml:"firmware" doc:"Firmware images."`
	SMS      SMS      `yaml:"sms" doc:"How text messages reach hubs that sleep. Virtual homes get theirs without."`
	Sessions Sessions `yaml:"sessions" doc:"The conversation with a hub."`
	Queue    Queue    `yaml:"queue" doc:"The commands."`
	Capture  string   `yaml:"capture" path:"y" doc:"File (pcapng) for every byte on the lines to the hubs, as on the wire: ciphered where they are. It grows without limit, and is begun anew at each start. Empty: none."`
	Log      Log      `yaml:"log" doc:"What is logged, to standard error. SIGHUP reads the level again."`
	Metrics  Metrics  `yaml:"metrics" doc:"HTTP for operators: /metrics (Prometheus), /healthz, /readyz, /version."`
}

// Fleet names a fleet and this gateway in it.
type Fleet struct {
	Name string `yaml:"name" default:"lab" doc:"Name of the fleet: lower-case letters, digits, - and _."`
	Node string `yaml:"node" default:"gateway-1" doc:"Name of this gateway. Two daemons at one broker need two."`
}

// Broker is where MQTT goes through.
type Broker struct {
	Listen       string   `yaml:"listen" default:"127.0.0.1:1883" doc:"Address of the embedded broker; port 0 takes a free one. Elsewhere than loopback it needs tls and users, or insecure."`
	URL          string   `yaml:"url" doc:"Another broker instead: tcp://host:1883, ssl://host:8883, ws:// or wss://. Empty: the embedded one."`
	User         string   `yaml:"user" doc:"Name of this gateway at the broker of url. Empty: none."`
	PasswordFile string   `yaml:"password-file" path:"y" doc:"File with its password, on one line, which nobody else may read."`
	Users        []User   `yaml:"users" doc:"Who may connect to the embedded broker. Empty: everybody who reaches it."`
	Clients      []Client `yaml:"clients" doc:"Who may command this gateway over the broker of url, by the reply topic; smets1d config acl prints what the broker itself must hold them to. Empty: everybody."`
	TLS          TLS      `yaml:"tls" doc:"TLS of the embedded broker, or towards the broker of url."`
	Insecure     bool     `yaml:"insecure" default:"false" doc:"Listen elsewhere than on loopback without TLS and users: anybody on that network may then command the meters."`
}

// User may connect to the embedded broker.
type User struct {
	Name         string   `yaml:"name" doc:"Name of the user."`
	PasswordFile string   `yaml:"password-file" path:"y" doc:"File with the password, on one line, which nobody else may read."`
	Roles        []string `yaml:"roles" doc:"What the user may do: observer, operator, engineer, migration. Its client must have its name, for the reply topic. Empty: everything, under any name."`
}

// Client is a client of a broker by url.
type Client struct {
	Name  string   `yaml:"name" doc:"Name in the reply topic rsp/<name>; the broker must let nobody else subscribe to it."`
	Roles []string `yaml:"roles" doc:"What the client may do: observer, operator, engineer, migration."`
}

// TLS names certificates.
type TLS struct {
	Cert string `yaml:"cert" path:"y" doc:"Certificate chain, PEM. Towards a url: the certificate this gateway shows."`
	Key  string `yaml:"key" path:"y" doc:"Its private key, PEM, which nobody else may read."`
	CA   string `yaml:"ca" path:"y" doc:"Authorities, PEM. Listening: clients must show a certificate of one. Towards a url: the broker's must be of one. Empty: none, or the system's."`
}

// IsZero tells that nothing is set.
func (t TLS) IsZero() bool { return t == TLS{} }

// Hub is a hub to talk to.
type Hub struct {
	EUI     wire.EUI64 `yaml:"eui" doc:"EUI-64 of the hub, like 00-DB-12-34-56-78-90-A0."`
	Address string     `yaml:"address" doc:"tcp://host:4059 (DLMS wrapper), tcp+hdlc://host:port, or serial:///dev/serial/by-id/…?baud=9600&mode=8N1&driver=native (HDLC)."`
	Wake    string     `yaml:"wake" default:"none" words:"none|sms|smsx2" doc:"Text messages it takes to make it answer."`
	MSISDN  string     `yaml:"msisdn" doc:"Number of its SIM, for wake."`
	Profile string     `yaml:"profile" doc:"Device set, for addresses and sizes, like ioc-dlms. Empty: the common ones."`
	Devices []Device   `yaml:"devices" doc:"What is behind it."`
	Permit  []string   `yaml:"permit" doc:"Verbs with a step that cannot be undone that may be run on this hub: firmware.upgrade, keys.takeover, keys.rollback, keys.repair, hub.repoint, or all. Empty: none."`
}

// Device is a device behind a hub.
type Device struct {
	EUI   wire.EUI64 `yaml:"eui" doc:"EUI-64 of the device."`
	Type  string     `yaml:"type" words:"esme|gsme|ihd" doc:"What it is: electricity meter, gas meter or display."`
	Model string     `yaml:"model" doc:"Its model, to be told before it was asked."`
}

// Homes are virtual homes.
type Homes struct {
	Manifest string  `yaml:"manifest" path:"y" doc:"Fleet manifest (smets1 fleet init writes one). Empty: no virtual homes."`
	Speed    float64 `yaml:"speed" default:"1" doc:"Virtual seconds in a second, above 0 and up to 3600. The time begins where the manifest says and is kept over restarts."`
	Port     int     `yaml:"dlms-port" default:"4059" doc:"TCP port of the homes; 0 takes a free one."`
	PTYDir   string  `yaml:"pty-dir" path:"y" doc:"Folder for the serial lines of homes with link: hdlc, as NAME.tty. Empty: STATE/tty."`
	Owner    string  `yaml:"owner" default:"SMSO" doc:"Whose the keys are that the homes are born with."`
}

// Keys are about the keys of devices.
type Keys struct {
	RootFile           string   `yaml:"root-file" path:"y" doc:"File of the root key, 64 hexadecimal digits; made if there is none. Keep a copy apart from the state. Empty: STATE/root.key."`
	RootEnv            string   `yaml:"root-env" doc:"Environment variable with the root key, in place of a file."`
	RootPassphraseFile string   `yaml:"root-passphrase-file" doc:"File of a passphrase that the root key is derived from (with root.salt in the state folder), in place of a key."`
	Import             []string `yaml:"import" path:"y" doc:"Handover files (JSON) to take in at each start, each whole or not at all. Devices that the store knows are left alone: their keys may have been changed since."`
}

// Firmware is about images.
type Firmware struct {
	Dir string `yaml:"dir" path:"y" doc:"Folder whose *.img files are taken into the library at each start. Empty: none."`
}

// SMS says how text messages are sent.
type SMS struct {
	Command []string `yaml:"command" doc:"Program and arguments; the number is appended. It ends with 0 when the message is on its way, and has 30 s. Empty: no text messages."`
}

// Sessions are the limits of a conversation with a hub.
type Sessions struct {
	Timeout   time.Duration `yaml:"timeout" default:"30s" doc:"How long a hub may take to answer. Devices behind it have the HAN timeout of their profile in addition."`
	Viability time.Duration `yaml:"viability" default:"2h" doc:"How long to try to reach a hub."`
	Idle      time.Duration `yaml:"idle" default:"1m" doc:"How long an unused line stays open."`
}

// Queue is about commands.
type Queue struct {
	Concurrency int           `yaml:"concurrency" default:"256" doc:"Commands that run at once, each at another hub."`
	MaxQueued   int           `yaml:"max-queued" default:"50000" doc:"Commands that may wait; beyond it the answer is busy."`
	MaxPerHub   int           `yaml:"max-per-hub" default:"64" doc:"The same for one hub."`
	ResultTTL   time.Duration `yaml:"result-ttl" default:"168h" doc:"How long results are kept. A command sent again later than that runs again."`
}

// Log says what is logged.
type Log struct {
	Level  string `yaml:"level" default:"info" words:"debug|info|warn|error" doc:"Least level that is logged."`
	Format string `yaml:"format" default:"text" words:"text|json" doc:"Form of a line."`
}

// Metrics is the operators' HTTP.
type Metrics struct {
	Listen       string `yaml:"listen" default:"127.0.0.1:9464" doc:"Address; port 0 takes a free one, off means none. Elsewhere than loopback it needs tls and user, or insecure."`
	User         string `yaml:"user" doc:"Name that readers must give (HTTP basic authentication), except for /healthz and /readyz. Empty: everybody may read."`
	PasswordFile string `yaml:"password-file" path:"y" doc:"File with the password, on one line, which nobody else may read."`
	TLS          TLS    `yaml:"tls" doc:"TLS of the listener."`
	Insecure     bool   `yaml:"insecure" default:"false" doc:"Listen elsewhere than on loopback without TLS and user."`
}
