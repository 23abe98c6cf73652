package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/gateway/topic"
	"smets1/internal/wire"
	"smets1/migration/engine"
)

// certificate writes a self-signed certificate for loopback and its key.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "smets1d test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cert.pem"), cert, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return pool
}

// On every interface, with TLS and users, broker and metrics let in who has the
// password and nobody else, and the gateway finds its own broker.
func TestListeningOnEveryInterface(t *testing.T) {
	file := configFile(t, `
state: state
fleet: {name: test}
broker:
  listen: 0.0.0.0:0
  tls: {cert: cert.pem, key: key.pem}
  users: [{name: engine, password-file: password}]
log: {format: json}
metrics:
  listen: 0.0.0.0:0
  tls: {cert: cert.pem, key: key.pem}
  user: reader
  password-file: password
`)
	pool := certificate(t, filepath.Dir(file))
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(file), "password"), []byte("open sesame\n"), 0o600))
	d := spawn(t, nil, "--config", file)
	d.wait("online")
	tc := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}

	broker := strings.Replace(d.mqtt, "0.0.0.0", "127.0.0.1", 1)
	require.True(t, strings.HasPrefix(broker, "ssl://"))
	r, err := engine.Dial(t.Context(), engine.RemoteConfig{Broker: broker, Fleet: "test", Client: "tester", User: "engine", Password: "open sesame", TLS: tc})
	require.NoError(t, err)
	require.Equal(t, topic.StatusDone, call(t, r, "c1", wire.EUI64{}, topic.FleetClock).Status)
	r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = engine.Dial(ctx, engine.RemoteConfig{Broker: broker, Fleet: "test", Client: "intruder", User: "engine", Password: "guess", TLS: tc})
	require.Error(t, err)

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: tc}}
	_, port, err := net.SplitHostPort(d.http)
	require.NoError(t, err)
	get := func(path, user, password string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://127.0.0.1:"+port+path, nil)
		require.NoError(t, err)
		if user != "" {
			req.SetBasicAuth(user, password)
		}
		res, err := client.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		return res.StatusCode
	}
	require.Equal(t, http.StatusUnauthorized, get("/metrics", "", ""))
	require.Equal(t, http.StatusUnauthorized, get("/metrics", "reader", "guess"))
	require.Equal(t, http.StatusOK, get("/metrics", "reader", "open sesame"))
	require.Equal(t, http.StatusOK, get("/readyz", "", ""))
	client.CloseIdleConnections()

	code, _ := d.stop(syscall.SIGTERM)
	require.Equal(t, exitOK, code)
	require.NotContains(t, d.log.text.String(), "open sesame")
}
