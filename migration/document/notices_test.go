package document

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNoticesRoundTrip(t *testing.T) {
	w := newWorld(t)
	fw := []FirmwareNotice{{Electricity, "2012345678906", EUI{1}, ESME, "Elster", "AS300P", "01", "02", Date{2019, 5, 1}, Date{2019, 5, 3}, 2, "ops@example.org"}}
	var b bytes.Buffer
	require.NoError(t, WriteFirmwareNotices(&b, w.specs, fw))
	back, ps := ReadFirmwareNotices(w.specs, tableNames["DMFW"], &b)
	require.Empty(t, ps)
	require.Equal(t, fw, back)

	ms := []MigrationNotice{
		{Gas, "7000000001", EUI{2}, EUI{3}, "Elster", "BK-G4", "03", Prepayment, Date{2019, 6, 1}, 1, supplierE, NoticeNew},
		{Gas, "7000000002", EUI{4}, EUI{}, "Elster", "BK-G4", "03", Credit, Date{2019, 6, 1}, 1, EUI{}, NoticeCancelled},
	}
	b.Reset()
	require.NoError(t, WriteMigrationNotices(&b, w.specs, ms))
	got, ps := ReadMigrationNotices(w.specs, tableNames["DMMS"], &b)
	require.Empty(t, ps)
	require.Equal(t, ms, got)
	n, ok := got[0].Notice(supplierG, Date{2019, 5, 20})
	require.True(t, ok)
	require.Equal(t, Notice{EUI{2}, supplierG, Date{2019, 5, 20}, Date{2019, 6, 1}}, n)
	_, ok = got[1].Notice(supplierG, Date{2019, 5, 20})
	require.False(t, ok, "a cancelled notice is none")

	bad := fw[0]
	bad.ContactEmail = "nobody"
	require.Error(t, WriteFirmwareNotices(&b, w.specs, []FirmwareNotice{bad}))
}

func TestRespondToRefusedFile(t *testing.T) {
	w := newWorld(t)
	rows := Respond(nil, Problems{w.specs.Problem(maName, 0, "", "XMA04", "Bad header.")})
	require.Equal(t, []ResponseRow{{Outcome: Rejected, Code: "XMA04", Detail: "Bad header."}}, rows)
	rows = Respond(nil, Problems{w.specs.Problem(maName, 3, "DeviceID", "XMA06", "Twice.\n")})
	require.Equal(t, []ResponseRow{{RecordNo: 2, Outcome: Duplicate, Code: "XMA06", Detail: "Twice. "}}, rows)
}
