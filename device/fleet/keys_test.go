package fleet

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"smets1/device/core"
	"smets1/dlms/axdr"
	"smets1/dlms/client"
	"smets1/dlms/cosem"
	"smets1/dlms/security"
	"smets1/dlms/server"
)

func newKeys(t *testing.T, n byte) security.KeySet {
	t.Helper()
	key := func(k byte) security.Key {
		b := make([]byte, 16)
		for i := range b {
			b[i] = n ^ k ^ byte(i*7)
		}
		x, err := security.NewKey(b)
		require.NoError(t, err)
		return x
	}
	return security.KeySet{GUEK: key(0x10), GAK: key(0x20), KEK: key(0x30)}
}

var (
	transfer = cosem.Method{Class: cosem.ClassSecuritySetup, Instance: core.SecurityName, ID: 2}
	commit   = cosem.Method{Class: server.ClassKeyChange, Instance: core.KeyChangeName, ID: 1}
	revert   = cosem.Method{Class: server.ClassKeyChange, Instance: core.KeyChangeName, ID: 2}
)

func change(id int8) cosem.Attribute {
	return cosem.Attribute{Class: server.ClassKeyChange, Instance: core.KeyChangeName, ID: id}
}

func stage(t *testing.T, c *client.Client, old, fresh security.KeySet) error {
	t.Helper()
	list := axdr.Array()
	for _, id := range []security.KeyID{security.KeyGUEK, security.KeyGAK, security.KeyKEK} {
		wrapped, err := security.WrapKey(old.KEK, fresh.Get(id))
		require.NoError(t, err)
		list.Items = append(list.Items, axdr.Structure(axdr.Enum(uint8(id)), axdr.Octets(wrapped)))
	}
	_, err := c.ActionAxdr(t.Context(), transfer, list)
	return err
}

func zero(t *testing.T, c *client.Client, m cosem.Method) error {
	t.Helper()
	_, err := c.ActionAxdr(t.Context(), m, axdr.Int8(0))
	return err
}

// Stage, prove, commit, and the old keys are refused: at the hub and at both meters.
func TestKeyTakeOver(t *testing.T) {
	w := open(t, demo(t), Options{})
	const name = "foc-clock-off"
	for i, device := range []string{"hub", "esme", "gsme"} {
		e := w.device(name, device).EUI
		old, fresh := w.m.keys(e), newKeys(t, byte(i))
		oldCount, freshCount := client.CountFrom(1), client.CountFrom(1)
		_, err := w.associate(w.link(name, device, 1), old, oldCount)
		require.NoError(t, err)
		_, err = w.associate(w.link(name, device, 1), fresh, freshCount)
		require.Error(t, err, "not there yet")
		c, err := w.associate(w.link(name, device, 1), old, oldCount)
		require.NoError(t, err)
		require.NoError(t, stage(t, c, old, fresh), "the answer comes under the old keys")
		state, err := c.GetUint(t.Context(), change(2))
		require.NoError(t, err)
		require.EqualValues(t, server.ChangeStaged, state)
		require.Error(t, zero(t, c, commit), "not in an association under the old keys")

		c, err = w.associate(w.link(name, device, 1), fresh, freshCount)
		require.NoError(t, err)
		state, err = c.GetUint(t.Context(), change(2))
		require.NoError(t, err)
		require.EqualValues(t, server.ChangeProven, state)
		left, err := c.GetUint(t.Context(), change(4))
		require.NoError(t, err)
		require.InDelta(t, 120, left, 5)
		_, err = w.associate(w.link(name, device, 1), old, oldCount)
		require.NoError(t, err, "the old ones open it as well until the commit")

		c, err = w.associate(w.link(name, device, 1), fresh, freshCount)
		require.NoError(t, err)
		require.NoError(t, zero(t, c, commit))
		version, err := c.GetUint(t.Context(), change(5))
		require.NoError(t, err)
		require.EqualValues(t, 2, version)
		_, err = w.associate(w.link(name, device, 1), old, oldCount)
		require.Error(t, err)
		_, err = w.associate(w.link(name, device, 1), fresh, freshCount)
		require.NoError(t, err)
	}
}

// Without a commit the old keys are back: by the window, by revert, by a power cut and
// by a restart of the process.
func TestKeysAreDropped(t *testing.T) {
	const name = "foc-clock-off"
	for how, undo := range map[string]func(w *world, c *client.Client) *world{
		"window": func(w *world, _ *client.Client) *world {
			w.clock.Advance(120 * time.Second)
			return w
		},
		"revert": func(w *world, c *client.Client) *world {
			require.NoError(w.t, zero(w.t, c, revert))
			return w
		},
		"power cut": func(w *world, _ *client.Client) *world {
			require.NoError(w.t, w.PowerCut(name, "esme", 25*time.Second))
			w.clock.Advance(25 * time.Second)
			return w
		},
		"kill -9": func(w *world, _ *client.Client) *world { return w.restart(Options{}) },
	} {
		t.Run(how, func(t *testing.T) {
			w := open(t, demo(t), Options{})
			e := w.device(name, "esme").EUI
			old, fresh := w.m.keys(e), newKeys(t, 9)
			oldCount, freshCount := client.CountFrom(1), client.CountFrom(1)
			c, err := w.associate(w.link(name, "esme", 1), old, oldCount)
			require.NoError(t, err)
			require.NoError(t, stage(t, c, old, fresh))
			c, err = w.associate(w.link(name, "esme", 1), fresh, freshCount)
			require.NoError(t, err)

			w = undo(w, c)
			_, err = w.associate(w.link(name, "esme", 1), fresh, freshCount)
			require.Error(t, err)
			c, err = w.associate(w.link(name, "esme", 1), old, oldCount)
			require.NoError(t, err)
			state, err := c.GetUint(t.Context(), change(2))
			require.NoError(t, err)
			require.Zero(t, state)
			// And it can be tried again.
			require.NoError(t, stage(t, c, old, fresh))
			c, err = w.associate(w.link(name, "esme", 1), fresh, freshCount)
			require.NoError(t, err)
			require.NoError(t, zero(t, c, commit))
		})
	}
}

// The fault: the meter acknowledges the keys, loses power once, and has the old keys
// again. The second attempt goes through, also after a restart of the process.
func TestPowerCutAtKeyStage(t *testing.T) {
	w := open(t, demo(t), Options{})
	const name = "moc-power-cut"
	w.wake(name)
	e := w.device(name, "esme").EUI
	old, fresh := w.m.keys(e), newKeys(t, 3)
	oldCount, freshCount := client.CountFrom(1), client.CountFrom(1)
	c, err := w.associate(w.link(name, "esme", 1), old, oldCount)
	require.NoError(t, err)
	require.NoError(t, stage(t, c, old, fresh))
	_, err = w.associate(w.link(name, "esme", 1), fresh, freshCount)
	require.Error(t, err, "no power")
	w.clock.Advance(time.Minute)
	_, err = w.associate(w.link(name, "esme", 1), fresh, freshCount)
	require.Error(t, err, "dropped")

	w = w.restart(Options{})
	w.wake(name)
	c, err = w.associate(w.link(name, "esme", 1), old, oldCount)
	require.NoError(t, err)
	require.NoError(t, stage(t, c, old, fresh))
	c, err = w.associate(w.link(name, "esme", 1), fresh, freshCount)
	require.NoError(t, err)
	require.NoError(t, zero(t, c, commit))
}

// Bad transfers change nothing.
func TestBadKeyTransfers(t *testing.T) {
	w := open(t, demo(t), Options{})
	const name = "foc-clock-off"
	e := w.device(name, "hub").EUI
	old := w.m.keys(e)
	c := w.manage(name, "hub", client.CountFrom(1))
	good, err := security.WrapKey(old.KEK, newKeys(t, 1).GUEK)
	require.NoError(t, err)
	bad := append([]byte(nil), good...)
	bad[5] ^= 1
	pair := func(id uint8, b []byte) axdr.Value { return axdr.Structure(axdr.Enum(id), axdr.Octets(b)) }
	for i, v := range []axdr.Value{
		axdr.Array(), axdr.Array(pair(0, bad)), axdr.Array(pair(0, good), pair(2, bad)), axdr.Array(pair(9, good)),
		axdr.Array(pair(0, good[:16])), axdr.Array(pair(0, good), pair(0, good)), axdr.Uint8(1),
	} {
		_, err := c.ActionAxdr(t.Context(), transfer, v)
		require.Error(t, err, i)
		state, err := c.GetUint(t.Context(), change(2))
		require.NoError(t, err)
		require.Zero(t, state, i)
	}
}

// failingNV refuses to save from a certain write on: the disk is full, or the process
// was killed at that write.
type failingNV struct {
	core.NV
	left int
}

func (f *failingNV) Save(key string, b []byte) error {
	if f.left--; f.left < 0 {
		return errors.New("no space left on device")
	}
	return f.NV.Save(key, b)
}

// At whichever write the process dies: what was acknowledged holds afterwards, and one
// of the two key sets opens the meter.
func TestRestartAtEveryWrite(t *testing.T) {
	const name = "foc-clock-off"
	point := cosem.Attribute{Class: cosem.ClassData, Instance: core.MPxNName, ID: 2}
	complete := false
	for writes := 0; !complete; writes++ {
		require.Less(t, writes, 40)
		t.Run(fmt.Sprint(writes), func(t *testing.T) {
			nv := &failingNV{NV: &core.Memory{}, left: writes}
			w := open(t, demo(t), Options{NV: nv})
			defer func() { nv.left = 1 << 30 }() // closing saves too
			e := w.device(name, "esme").EUI
			old, fresh := w.m.keys(e), newKeys(t, 5)
			oldCount, freshCount := client.CountFrom(1), client.CountFrom(1)
			wrote, committed := false, false
			run := func() error {
				c, err := w.impatient(name, "esme", old, oldCount)
				if err != nil {
					return err
				}
				if err := c.SetAxdr(t.Context(), point, axdr.Octets([]byte("1012345678909"))); err != nil {
					return err
				}
				wrote = true
				if err := stage(t, c, old, fresh); err != nil {
					return err
				}
				if c, err = w.impatient(name, "esme", fresh, freshCount); err != nil {
					return err
				}
				if err := zero(t, c, commit); err != nil {
					return err
				}
				committed = true
				return nil
			}
			complete = run() == nil
			// The one that died wrote no more; a new process starts on what there is.
			next := open(t, w.m, Options{NV: nv.NV})
			c, err := next.associate(next.link(name, "esme", 1), fresh, freshCount)
			if committed {
				require.NoError(t, err)
			} else if err != nil {
				c, err = next.associate(next.link(name, "esme", 1), old, oldCount)
				require.NoError(t, err, "neither set opens the meter")
			}
			if wrote {
				got, err := c.GetString(t.Context(), point)
				require.NoError(t, err)
				require.Equal(t, "1012345678909", got)
			}
		})
	}
}

// impatient associates with a short time-out of the machine's clock, and gives the
// client the same for what follows.
func (w *world) impatient(name, device string, keys security.KeySet, n client.Counter) (*client.Client, error) {
	return client.Associate(w.t.Context(), w.link(name, device, 1), client.Config{
		Mechanism: security.MechanismGMAC, Keys: keys, SystemTitle: clientTitle, Counter: n, Timeout: 2 * time.Second,
	})
}

// A device never sends a counter twice, neither across restarts nor when keys that were
// dropped are staged again.
func TestSendCountersNeverRepeat(t *testing.T) {
	w := open(t, demo(t), Options{})
	h, err := w.byName("foc-clock-off")
	require.NoError(t, err)
	seen := map[uint32]bool{}
	take := func(h *home) {
		for range 3 {
			n, err := h.esme.Keys().NextTx(1)
			require.NoError(t, err)
			require.False(t, seen[n], n)
			seen[n] = true
		}
		require.NoError(t, h.esme.Flush(w.nv))
	}
	take(h)
	for range 3 {
		w = w.restart(Options{})
		h, err = w.byName("foc-clock-off")
		require.NoError(t, err)
		take(h)
	}
}
