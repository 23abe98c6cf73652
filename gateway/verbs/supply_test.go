package verbs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/gateway/topic"
)

func TestSupply(t *testing.T) {
	b := newBench(t)
	r, code := call[topic.SupplyResult](b, topic.SupplyRead, topic.ESME, nil)
	require.Equal(t, topic.CodeOK, code)
	require.Equal(t, topic.SupplyOn, r.State)
	require.True(t, r.Output)
	for range 2 { // twice is once
		r, code = call[topic.SupplyResult](b, topic.SupplySet, topic.ESME, topic.SupplySetArgs{State: topic.SupplyOff})
		require.Equal(t, topic.CodeOK, code)
		require.Equal(t, topic.SupplyOff, r.State)
		require.False(t, r.Output)
	}
	require.Equal(t, topic.SupplyOff, r.From)
	require.Equal(t, topic.SupplyOff, b.devs[len(b.devs)-1].Supply)
	r, code = call[topic.SupplyResult](b, topic.SupplySet, topic.ESME, topic.SupplySetArgs{State: topic.SupplyOn})
	require.Equal(t, topic.CodeOK, code)
	require.Contains(t, []string{topic.SupplyOn, topic.SupplyArmed}, r.State)
	for _, state := range []string{"", "armed", "ON"} {
		_, code = call[topic.SupplyResult](b, topic.SupplySet, topic.ESME, topic.SupplySetArgs{State: state})
		require.Equal(t, topic.CodeBadArgs, code, state)
	}
	_, code = call[topic.SupplyResult](b, topic.SupplySet, "", topic.SupplySetArgs{State: topic.SupplyOff})
	require.Equal(t, topic.CodeBadArgs, code, "the hub has no supply")
}

func TestHANList(t *testing.T) {
	b := newBench(t)
	r, code := call[topic.HANListResult](b, topic.HANList, "", nil)
	require.Equal(t, topic.CodeOK, code)
	require.NotEmpty(t, r.Devices)
	for _, d := range r.Devices {
		require.True(t, d.Known, "%s", d.EUI)
	}
	_, code = call[topic.HANListResult](b, topic.HANList, topic.ESME, nil)
	require.Equal(t, topic.CodeBadArgs, code)
}
