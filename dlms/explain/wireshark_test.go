package explain_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
)

const luaScript = "../../docs/wireshark/smets1.lua"

// The dissector in docs knows every APDU by the same name.
func TestDissectorNames(t *testing.T) {
	b, err := os.ReadFile(luaScript)
	require.NoError(t, err)
	got := map[byte]string{}
	for _, m := range regexp.MustCompile(`(?m)^  \[0x([0-9A-F]{2})\] = "([^"]+)",$`).FindAllStringSubmatch(string(b), -1) {
		n, err := strconv.ParseUint(m[1], 16, 8)
		require.NoError(t, err)
		got[byte(n)] = m[2]
	}
	want := map[byte]string{acse.TagAARQ: "AARQ", acse.TagAARE: "AARE", acse.TagRLRQ: "RLRQ", acse.TagRLRE: "RLRE"}
	for tag := range 256 {
		if apdu.Tag(tag).Valid() {
			want[byte(tag)] = apdu.Tag(tag).String()
		}
	}
	require.Equal(t, fmt.Sprint(want), fmt.Sprint(got))
}
