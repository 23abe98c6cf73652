package topic_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/gateway/topic"
)

func neg(n int64) uint64 { return uint64(n) }

// values are one of each type, and the ends of their ranges.
var values = []struct {
	v    topic.Value
	json string
}{
	{topic.Value{Type: topic.NullData}, `{"type":"null-data"}`},
	{topic.Value{Type: topic.DontCare}, `{"type":"dont-care"}`},
	{topic.Value{Type: topic.Boolean, Num: 1}, `{"type":"boolean","value":true}`},
	{topic.Value{Type: topic.Boolean}, `{"type":"boolean","value":false}`},
	{topic.Int(topic.Integer, -128), `{"type":"integer","value":-128}`},
	{topic.Int(topic.Unsigned, 255), `{"type":"unsigned","value":255}`},
	{topic.Int(topic.Enum, 1), `{"type":"enum","value":1}`},
	{topic.Int(topic.BCD, 37), `{"type":"bcd","value":37}`},
	{topic.Int(topic.Long, -32768), `{"type":"long","value":-32768}`},
	{topic.Int(topic.LongUnsigned, 65535), `{"type":"long-unsigned","value":65535}`},
	{topic.Int(topic.DoubleLong, math.MinInt32), `{"type":"double-long","value":-2147483648}`},
	{topic.Int(topic.DoubleLongUnsigned, 5), `{"type":"double-long-unsigned","value":5}`},
	{topic.Int(topic.Long64, math.MinInt64), `{"type":"long64","value":"-9223372036854775808"}`},
	{topic.Value{Type: topic.Long64Unsigned, Num: math.MaxUint64}, `{"type":"long64-unsigned","value":"18446744073709551615"}`},
	{topic.Value{Type: topic.Float32, Num: 0x3FC00000}, `{"type":"float32","value":1.5}`},
	{topic.Value{Type: topic.Float32, Num: 0x7FC00001}, `{"type":"float32","value":"0x7fc00001"}`},
	{topic.Value{Type: topic.Float64, Num: math.Float64bits(0.1)}, `{"type":"float64","value":0.1}`},
	{topic.Value{Type: topic.Float64, Num: math.Float64bits(math.Inf(-1))}, `{"type":"float64","value":"0xfff0000000000000"}`},
	{topic.Value{Type: topic.Float64, Num: 1 << 63}, `{"type":"float64","value":-0}`},
	{topic.Octets([]byte{0, 0xFF}), `{"type":"octet-string","value":"00ff"}`},
	{topic.Value{Type: topic.VisibleString, Bytes: []byte("A\xe9")}, `{"type":"visible-string","value":"Aé"}`},
	{topic.Value{Type: topic.UTF8String, Bytes: []byte("Aé")}, `{"type":"utf8-string","value":"Aé"}`},
	{topic.Value{Type: topic.UTF8String, Bytes: []byte{0xFF}}, `{"type":"utf8-string","hex":"ff"}`},
	{topic.Value{Type: topic.BitString, Num: 9, Bytes: []byte{0xA0, 0x80}}, `{"type":"bit-string","value":"101000001"}`},
	{topic.Value{Type: topic.DateTime, Bytes: []byte{7, 0xE3, 4, 7, 0xFF, 18, 25, 3, 0, 0x80, 0, 0}}, `{"type":"date-time","value":"07e30407ff12190300800000"}`},
	{topic.Value{Type: topic.Date, Bytes: []byte{7, 0xE3, 4, 7, 0xFF}}, `{"type":"date","value":"07e30407ff"}`},
	{topic.Value{Type: topic.Time, Bytes: []byte{18, 25, 3, 0}}, `{"type":"time","value":"12190300"}`},
	{
		topic.Value{Type: topic.Structure, Items: []topic.Value{topic.Int(topic.Enum, 30), {Type: topic.Array, Items: []topic.Value{}}}},
		`{"type":"structure","value":[{"type":"enum","value":30},{"type":"array","value":[]}]}`,
	},
}

func TestValueBytes(t *testing.T) {
	for _, test := range values {
		b, err := json.Marshal(test.v)
		require.NoError(t, err)
		require.Equal(t, test.json, string(b))
		var back topic.Value
		require.NoError(t, json.Unmarshal(b, &back))
		again, err := json.Marshal(back)
		require.NoError(t, err)
		require.Equal(t, test.json, string(again))
		require.Equal(t, test.v.Num, back.Num)
		for i := range b {
			require.Error(t, json.Unmarshal(b[:i], &back))
		}
	}
	var n topic.Value
	require.NoError(t, json.Unmarshal([]byte(`{"type":"long64","value":-5}`), &n), "a number is read too")
	require.Equal(t, neg(-5), n.Num)
}

func TestValuesThatAreNone(t *testing.T) {
	for _, s := range []string{
		`{}`, `[]`, `5`, `{"type":"kettle"}`, `{"type":"enum"}`, `{"type":"enum","value":null}`, `{"type":"enum","value":256}`, `{"type":"enum","value":-1}`,
		`{"type":"enum","value":1.5}`, `{"type":"enum","value":"1"}`, `{"type":"integer","value":128}`, `{"type":"long64","value":"9223372036854775808"}`,
		`{"type":"long64","value":"x"}`, `{"type":"boolean","value":1}`, `{"type":"float32","value":1e99}`, `{"type":"float32","value":"nan"}`,
		`{"type":"float32","value":"0x7fc"}`, `{"type":"octet-string","value":"0"}`, `{"type":"octet-string","value":"zz"}`, `{"type":"octet-string","value":[0]}`,
		`{"type":"visible-string","value":"€"}`, `{"type":"bit-string","value":"12"}`, `{"type":"date","value":"00"}`, `{"type":"array","value":{}}`,
		`{"type":"array","value":[{"type":"?"}]}`, `{"type":"utf8-string","hex":"0"}`,
	} {
		var v topic.Value
		require.Error(t, json.Unmarshal([]byte(s), &v), s)
	}
	deep := topic.Value{Type: topic.Array}
	for range 20 {
		deep = topic.Value{Type: topic.Array, Items: []topic.Value{deep}}
	}
	for _, v := range []topic.Value{
		{Type: 99}, {Type: topic.Boolean, Num: 2}, {Type: topic.Enum, Num: 256}, {Type: topic.Integer, Num: 128}, {Type: topic.Date, Bytes: []byte{1}},
		{Type: topic.BitString, Num: 9, Bytes: []byte{1}}, {Type: topic.Float32, Num: 1 << 32}, {Type: topic.Array, Items: []topic.Value{{Type: 99}}}, deep,
	} {
		_, err := json.Marshal(v)
		require.Error(t, err, "%+v", v)
	}
	require.Equal(t, "type-99", topic.ValueType(99).String())
}

func FuzzValue(f *testing.F) {
	for _, v := range values {
		f.Add([]byte(v.json))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var v topic.Value
		if json.Unmarshal(b, &v) != nil {
			return
		}
		out, err := json.Marshal(v)
		require.NoError(t, err, "what was read can be written")
		var back topic.Value
		require.NoError(t, json.Unmarshal(out, &back))
		again, err := json.Marshal(back)
		require.NoError(t, err)
		require.Equal(t, string(out), string(again))
	})
}
