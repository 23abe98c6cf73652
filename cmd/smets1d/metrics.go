package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"smets1/cmd/internal/config"
	"smets1/cmd/internal/lab"
	"smets1/gateway/topic"
)

// metrics counts, and serves what it counted over HTTP. No metric has a label
// for the hub: there may be a million.
type metrics struct {
	registry *prometheus.Registry
	commands *prometheus.CounterVec
	server   *http.Server
	listener net.Listener
	gateway  atomic.Pointer[lab.Gateway]
	stop     atomic.Bool
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		commands: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "smets1_commands_total", Help: "Commands that ended or were refused, by verb, status and code.",
		}, []string{"verb", "status", "code"}),
	}
	m.registry.MustRegister(m.commands, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), (*gatewayCollector)(m))
	return m
}

// observe counts the end of a command. A verb that is not of the contract is
// counted as unknown: whoever sends may not make up labels.
func (m *metrics) observe(r topic.Result) {
	verb := string(r.Verb)
	if _, ok := r.Verb.Info(); !ok {
		verb = "unknown"
	}
	m.commands.WithLabelValues(verb, string(r.Status), string(r.Code)).Inc()
}

// gatewayCollector asks the gateway when it is asked.
type gatewayCollector metrics

var (
	queueDepth     = prometheus.NewDesc("smets1_queue_commands", "Commands that were accepted and have not ended, by state.", []string{"state"}, nil)
	resultsKept    = prometheus.NewDesc("smets1_results_kept", "Results that are kept.", nil, nil)
	hubsKnown      = prometheus.NewDesc("smets1_hubs", "Hubs by their last known state.", []string{"state"}, nil)
	linesOpen      = prometheus.NewDesc("smets1_sessions_open", "Lines to hubs that are open.", nil, nil)
	linesTotal     = prometheus.NewDesc("smets1_sessions_total", "Lines to hubs that were opened.", nil, nil)
	brokerUp       = prometheus.NewDesc("smets1_broker_connected", "1 while the bridge is connected to its broker.", nil, nil)
	bridgeWaiting  = prometheus.NewDesc("smets1_bridge_waiting", "Messages that wait for the broker.", nil, nil)
	bridgeDropped  = prometheus.NewDesc("smets1_bridge_dropped_total", "Events and telemetry that found no room.", nil, nil)
	buildInfo      = prometheus.NewDesc("smets1_build_info", "1, with the version as label.", []string{"version"}, nil)
	hubConditions  = []topic.Condition{topic.Init, topic.Ready, topic.Sleeping, topic.Lost, topic.Alert}
	allDescriptors = []*prometheus.Desc{queueDepth, resultsKept, hubsKnown, linesOpen, linesTotal, brokerUp, bridgeWaiting, bridgeDropped, buildInfo}
)

// Describe implements prometheus.Collector.
func (*gatewayCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range allDescriptors {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *gatewayCollector) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	gauge(buildInfo, 1, version())
	g := c.gateway.Load()
	if g == nil {
		return
	}
	s := g.Stats()
	gauge(queueDepth, float64(s.Queue.Queued), "queued")
	gauge(queueDepth, float64(s.Queue.Running), "running")
	gauge(resultsKept, float64(s.Queue.Kept))
	for _, state := range hubConditions {
		gauge(hubsKnown, float64(s.Hubs[state]), string(state))
	}
	gauge(linesOpen, float64(s.LinesOpen))
	counter(linesTotal, s.LinesTotal)
	up := 0.0
	if s.Bridge.Connected {
		up = 1
	}
	gauge(brokerUp, up)
	gauge(bridgeWaiting, float64(s.Bridge.Waiting))
	counter(bridgeDropped, s.Bridge.Dropped)
}

// start serves, unless the listener is off.
func (m *metrics) start(ctx context.Context, c config.Metrics, g *lab.Gateway, log *slog.Logger) error {
	m.gateway.Store(g)
	if c.Listen == config.Off {
		return nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("metrics: %w: name another address by metrics.listen, or off", err)
	}
	server, err := c.TLS.Server()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	m.listener = l
	if server != nil {
		l = tls.NewListener(l, server)
	}
	handler, err := m.handler(c)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	m.server = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	go func() {
		if err := m.server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics are no longer served", slog.Any("error", err))
		}
	}()
	return nil
}

func (m *metrics) handler(c config.Metrics) (http.Handler, error) {
	guard := func(h http.Handler) http.Handler { return h }
	if c.User != "" {
		password, err := config.ReadSecret(c.PasswordFile)
		if err != nil {
			return nil, err
		}
		guard = func(h http.Handler) http.Handler { return authenticated(c.User, password, h) }
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", guard(promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})))
	mux.Handle("GET /version", guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"version": version()})
	})))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	mux.HandleFunc("GET /readyz", m.ready)
	return mux, nil
}

// ready says whether commands get through: the broker is connected and nothing stops.
func (m *metrics) ready(w http.ResponseWriter, _ *http.Request) {
	s := m.gateway.Load().Stats()
	parts := map[string]any{"broker": s.Bridge.Connected, "stopping": m.stop.Load(), "queued": s.Queue.Queued, "running": s.Queue.Running}
	status := http.StatusOK
	if !s.Bridge.Connected || m.stop.Load() {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, parts)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the reader may have left
}

// authenticated asks for a name and password.
func authenticated(user string, password config.Secret, h http.Handler) http.Handler {
	// Digests are of one length, so that the time of comparing tells nothing.
	wantUser, wantPassword := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password.Reveal()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, p, _ := r.BasicAuth()
		gotUser, gotPassword := sha256.Sum256([]byte(u)), sha256.Sum256([]byte(p))
		if subtle.ConstantTimeCompare(gotUser[:], wantUser[:])&subtle.ConstantTimeCompare(gotPassword[:], wantPassword[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="smets1d", charset="UTF-8"`)
			http.Error(w, "name and password, please", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// address is where it listens; empty if it does not.
func (m *metrics) address() string {
	if m.listener == nil {
		return ""
	}
	return m.listener.Addr().String()
}

// stopping makes /readyz say no.
func (m *metrics) stopping() { m.stop.Store(true) }

func (m *metrics) close(ctx context.Context) error {
	if m.server == nil {
		return nil
	}
	return m.server.Shutdown(ctx)
}
