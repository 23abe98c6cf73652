package cosem

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"smets1/dlms/axdr"
)

func TestOBIS(t *testing.T) {
	want := OBIS{1, 0, 1, 8, 0, 255}
	for _, s := range []string{"1-0:1.8.0.255", "1-0:1.8.0", "1.0.1.8.0.255", "1-0:1.8.0*255", "0100010800FF", "0100010800ff"} {
		got, err := ParseOBIS(s)
		require.NoError(t, err, s)
		require.Equal(t, want, got, s)
	}
	require.Equal(t, "1-0:1.8.0.255", want.String())
	require.Equal(t, "255-255:255.255.255.255", OBIS{255, 255, 255, 255, 255, 255}.String())
	for _, s := range []string{"", "1-0:1.8", "1-0:1.8.0.255.3", "1-0:1.8.0.256", "1-0:a.8.0.255", "0100010800FG"} {
		_, err := ParseOBIS(s)
		require.ErrorContains(t, err, "OBIS", s)
	}
	require.Panics(t, func() { MustOBIS("x") })

	text, err := json.Marshal(map[string]OBIS{"name": Clock})
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"0-0:1.0.0.255"}`, string(text))
	var back map[string]OBIS
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, Clock, back["name"])
	require.Error(t, json.Unmarshal([]byte(`{"name":"x"}`), &back))
	require.Zero(t, Clock.Compare(Clock))
	require.Equal(t, -1, Clock.Compare(want))
	require.Equal(t, 1, want.Compare(Clock))
}

func TestDescriptors(t *testing.T) {
	wire := []byte{0, 3, 1, 0, 1, 8, 0, 255, 0xFE}
	a := Attribute{Class: ClassRegister, Instance: MustOBIS("1-0:1.8.0.255"), ID: -2}
	require.Equal(t, wire, a.AppendTo(nil))
	require.Equal(t, a, AttributeOf(wire))
	require.Equal(t, "3/1-0:1.8.0.255/-2", a.String())
	m := Method(a)
	require.Equal(t, wire, m.AppendTo(nil))
	require.Equal(t, m, MethodOf(wire))
	require.Equal(t, "3/1-0:1.8.0.255/-2", m.String())
	require.Len(t, wire, DescriptorSize)
}

func TestResults(t *testing.T) {
	require.NoError(t, Success.Err())
	require.ErrorIs(t, ObjectUndefined.Err(), ObjectUndefined)
	require.EqualError(t, ObjectUndefined, "data-access-result 4 object-undefined: "+
		"The meter has no such object or attribute; check class, logical name and attribute.")
	require.Equal(t, "other-reason", OtherReason.String())
	require.Equal(t, "data-access-result 77", Result(77).Name())
	require.NotEmpty(t, Result(77).Sentence())
	require.NoError(t, ActionSuccess.Err())
	require.ErrorIs(t, ActionTypeUnmatched.Err(), ActionTypeUnmatched)
	require.EqualError(t, ActionOtherReason, "action-result 250 other-reason: The meter gives no reason.")
	require.Equal(t, "long-action-aborted", ActionLongActionAborted.String())
	require.Equal(t, "action-result 77", ActionResult(77).Name())
	require.NotEmpty(t, ActionResult(77).Sentence())
}

func TestConformance(t *testing.T) {
	c := ConformanceOf([]byte{0x62, 0x1E, 0x5D})
	require.Equal(t, ConfGeneralProtection|ConfGeneralBlockTransfer|ConfDeltaValueEncoding|ConfBlockTransferGet|
		ConfBlockTransferSet|ConfBlockTransferAction|ConfMultipleReferences|ConfAccess|ConfGet|ConfSet|
		ConfSelectiveAccess|ConfAction, c)
	require.Equal(t, []byte{0x62, 0x1E, 0x5D}, c.AppendTo(nil))
	require.True(t, c.Has(ConfGet|ConfSet))
	require.False(t, c.Has(ConfGet|ConfRead))
	require.Equal(t, "000010{get}", ConfGet.String())
	require.Equal(t, "001E1D{block-transfer-with-get-or-read,block-transfer-with-set-or-write,block-transfer-with-action,"+
		"multiple-references,get,set,selective-access,action}", Conformance(0x001E1D).String())
	require.Len(t, (ConfGet | ConfSet).Names(), 2)
}

func TestUnits(t *testing.T) {
	require.Equal(t, "Wh", UnitWattHour.String())
	require.Equal(t, "m³", UnitCubicMetre.String())
	require.Empty(t, UnitNone.String())
	require.Equal(t, "unit 200", Unit(200).String())
}

func TestAccessModes(t *testing.T) {
	for v := uint8(0); v <= 6; v++ {
		m, err := AttributeAccessV0(v)
		require.NoError(t, err)
		require.Equal(t, v, m.V0Attribute())
	}
	_, err := AttributeAccessV0(7)
	require.ErrorContains(t, err, "7")
	for v := uint8(0); v <= 2; v++ {
		m, err := MethodAccessV0(v)
		require.NoError(t, err)
		require.Equal(t, v, m.V0Method())
	}
	_, err = MethodAccessV0(3)
	require.ErrorContains(t, err, "3")
	require.Equal(t, uint8(4), (AccessRead | AccessEncryptedResponse).V0Attribute())
	require.Equal(t, uint8(0), AccessAuthRequest.V0Attribute())
	require.Equal(t, "none", AccessNone.String())
	require.Equal(t, "read,write,authenticated-request", (AccessReadWrite | AccessAuthRequest).String())
	require.True(t, AccessReadWrite.Can(AccessWrite))
	require.False(t, AccessRead.Can(AccessWrite))
}

func TestClassTable(t *testing.T) {
	classes := Classes()
	require.Greater(t, len(classes), 40)
	for i, c := range classes {
		if i > 0 {
			require.Less(t, classes[i-1].ID, c.ID)
		}
		require.NotEmpty(t, c.Name)
		for version := uint8(0); version <= c.Version; version++ {
			v, ok := LookupClass(c.ID, version)
			require.True(t, ok)
			require.Equal(t, version, v.Version)
			for j, a := range v.Attributes {
				require.Equal(t, int8(j+1), a.ID, "class %d version %d", c.ID, version)
			}
			seen := map[int8]bool{}
			for _, m := range v.Methods {
				require.False(t, seen[m.ID])
				seen[m.ID] = true
				require.NotEmpty(t, m.Types)
			}
		}
	}
	_, ok := LookupClass(2, 0)
	require.False(t, ok)
	require.Equal(t, "7 Profile generic", ClassProfileGeneric.String())
	require.Equal(t, "2", ClassID(2).String())
}

func TestClassLookups(t *testing.T) {
	association, ok := LookupClass(ClassAssociationLN, 0)
	require.True(t, ok)
	require.Len(t, association.Attributes, 8)
	require.Len(t, association.Methods, 4)
	association, ok = LookupClass(ClassAssociationLN, 200)
	require.True(t, ok)
	require.Equal(t, uint8(3), association.Version)
	require.Len(t, association.Attributes, 11)

	a, ok := association.AttributeByName("object_list")
	require.True(t, ok)
	require.Equal(t, int8(2), a.ID)
	require.True(t, a.Allows(axdr.TagArray) && a.Allows(axdr.TagNull) && !a.Allows(axdr.TagUint8))
	_, ok = association.AttributeByName("x")
	require.False(t, ok)
	_, ok = association.Attribute(99)
	require.False(t, ok)
	m, ok := association.MethodByName("reply_to_HLS_authentication")
	require.True(t, ok)
	require.Equal(t, int8(1), m.ID)
	require.True(t, m.Allows(axdr.TagOctetString) && !m.Allows(axdr.TagUint8))
	_, ok = association.Method(99)
	require.False(t, ok)
	_, ok = association.MethodByName("x")
	require.False(t, ok)
	m, ok = association.Method(2)
	require.True(t, ok)
	require.Equal(t, "change_HLS_secret", m.Name)

	clock, ok := LookupClass(ClassClock, 0)
	require.True(t, ok)
	a, ok = clock.Attribute(2)
	require.True(t, ok)
	require.True(t, a.Allows(axdr.TagDateTime) && a.Allows(axdr.TagOctetString))
	a, ok = (ClassInfo{Attributes: []AttributeInfo{{ID: 2}}}).Attribute(2)
	require.True(t, ok)
	require.True(t, a.Allows(axdr.TagFloat32)) // open

	push, ok := LookupClass(ClassPushSetup, 0)
	require.True(t, ok)
	require.Len(t, push.Attributes, 7)
}

func TestClassTableErrors(t *testing.T) {
	for _, text := range []string{
		"a 2 value any", "class 1 0", "class x 0 Y", "class 1 x Y", "class 1 0 Y\nz 1", "class 1 0 Y\na 2 value",
		"class 1 0 Y\na x value any", "class 1 0 Y\na 2 value word", "class 1 0 Y\na 2@x value any",
		"class 1 0 Y\na 2@1-x value any", "class 1 0 Y\nm 1 reset", "class 1 0 Y\nm 1 reset word",
	} {
		_, err := parseClasses(text)
		require.ErrorContains(t, err, "class table line", text)
	}
}
