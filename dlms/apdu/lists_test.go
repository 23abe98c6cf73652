package apdu

import (
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/cosem"
)

func countAll[T any](all iter.Seq2[int, T]) int {
	n := 0
	for i := range all {
		if i != n {
			return -1
		}
		n++
	}
	return n
}

// TestLists walks each list whole and stops in the middle of it.
func TestLists(t *testing.T) {
	var attributes AttributeList
	var methods MethodList
	var values DataList
	var gets GetResultList
	var results ResultList
	var actions ActionResultList
	var specs AccessSpecList
	var accesses AccessResultList
	for i := range 3 {
		attributes.Add(register, Selection{Selector: byte(i), Data: []byte{0}})
		methods.Add(off)
		values.Add([]byte{0x11, byte(i)})
		gets.Add(GetResult{Result: cosem.Result(i)})
		results.Add(cosem.Result(i))
		actions.Add(ActionResponse{Result: cosem.ActionResult(i)})
		require.NoError(t, specs.Add(AccessSpec{Kind: AccessGet, Attribute: register}))
		accesses.Add(AccessResult{Kind: AccessGet, Code: byte(i)})
	}
	require.Equal(t, 3, countAll(attributes.All()))
	require.Equal(t, 3, countAll(methods.All()))
	require.Equal(t, 3, countAll(values.All()))
	require.Equal(t, 3, countAll(gets.All()))
	require.Equal(t, 3, countAll(results.All()))
	require.Equal(t, 3, countAll(actions.All()))
	require.Equal(t, 3, countAll(specs.All()))
	require.Equal(t, 3, countAll(accesses.All()))

	for i, r := range results.All() {
		require.Equal(t, cosem.Result(i), r)
		if i == 1 {
			break
		}
	}
	for i, g := range gets.All() {
		require.Equal(t, cosem.Result(i), g.Result)
		if i == 1 {
			break
		}
	}

	attributes.Reset()
	methods.Reset()
	values.Reset()
	gets.Reset()
	results.Reset()
	actions.Reset()
	specs.Reset()
	accesses.Reset()
	require.Zero(t, attributes.Len()+methods.Len()+values.Len()+gets.Len()+results.Len()+actions.Len()+specs.Len()+accesses.Len())
	require.Zero(t, countAll(attributes.All()))
}
