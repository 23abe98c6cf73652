package prepay

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Random months of use, charges, debts, top-ups and changes of mode: at every step
// credit = use + charges + debt + balance, to the millipence.
func TestMoneyIsConserved(t *testing.T) {
	for seed := range int64(60) {
		r := rand.New(rand.NewSource(seed))
		a := New(Mode(1+r.Intn(2)), Config{
			LowCredit: 200_000, EmergencyLimit: int64(r.Intn(2)) * 1_000_000, EmergencyThreshold: 100_000, PaymentShare: int64(r.Intn(10_001)),
			PaymentCap: int64(r.Intn(3)) * 400_000, Rate: [2]int64{int64(r.Intn(5000)), int64(r.Intn(90_000))}, Daily: [2]bool{false, true},
			SuspendEmergency: r.Intn(2) == 0, SuspendDisabled: r.Intn(2) == 0, Disablement: int64(r.Intn(3)-1) * 100_000,
		}, int64(r.Intn(3_000_000)))
		a.Debt = [2]int64{int64(r.Intn(2_000_000)), int64(r.Intn(2_000_000))}
		a.PaymentDebt = int64(r.Intn(3_000_000))
		debts := a.Debt[0] + a.Debt[1] + a.PaymentDebt
		for h := range 24 * 31 {
			a.Use(int64(r.Intn(60_000)) * int64(r.Intn(600)))
			a.Hour(a.Exhausted())
			if h%24 == 0 {
				a.Midnight(24_000, a.Exhausted())
			}
			switch r.Intn(60) {
			case 0:
				if n := int64(r.Intn(30)) * 100_000; a.Fits(n) == Accepted {
					p := a.TopUp(int64(h)*3600, n)
					require.Equal(t, n, p.Emergency+p.Accumulated+p.Debt+p.Balance)
				}
			case 1:
				a.Activate()
			case 2:
				a.Adjust(int64(r.Intn(200_000)) - 100_000)
			case 3:
				a.SetMode(Mode(1 + r.Intn(2)))
			case 4:
				if a.Mode == Credit {
					a.Bill()
				}
			case 5:
				c := a.Config
				c.EmergencyLimit += 1000
				a.Configure(c)
			}
			require.Zero(t, a.Conserved(), "seed %d, hour %d", seed, h)
			require.GreaterOrEqual(t, a.Accumulated, int64(0))
			require.GreaterOrEqual(t, a.Emergency, int64(0))
			require.Equal(t, debts, a.Debt[0]+a.Debt[1]+a.PaymentDebt+a.Totals.ByTime[0]+a.Totals.ByTime[1]+a.Totals.ByPayment)
		}
	}
}

// Charging in many small steps is charging in one.
func TestUseIsExact(t *testing.T) {
	one, many := New(Credit, Config{}, 0), New(Credit, Config{}, 0)
	r := rand.New(rand.NewSource(1))
	var sum int64
	for range 1000 {
		n := int64(r.Intn(5000))
		sum += n
		many.Use(n)
	}
	one.Use(sum)
	require.Equal(t, one, many)
}

func TestEmergencyCredit(t *testing.T) {
	a := New(Prepayment, Config{EmergencyLimit: 1000, EmergencyThreshold: 100}, 500)
	require.False(t, a.Activate(), "there is credit")
	a.Use(450_000)
	require.True(t, a.EmergencyAvailable())
	require.True(t, a.Activate())
	require.False(t, a.Activate(), "again")
	require.False(t, a.InEmergency(), "the balance first")
	a.Use(80_000)
	require.EqualValues(t, 0, a.Balance)
	require.EqualValues(t, 970, a.Emergency)
	require.True(t, a.InEmergency())
	a.Midnight(200, false)
	require.EqualValues(t, 200, a.Accumulated, "emergency credit pays for use only")
	require.False(t, a.Exhausted())
	a.Use(970_000)
	require.True(t, a.Exhausted())
	p := a.TopUp(0, 2000)
	require.Equal(t, Payment{Amount: 2000, Emergency: 1000, Accumulated: 200, Balance: 800}, p)
	require.False(t, a.Activated)
	require.EqualValues(t, 800, a.Balance)
}

func TestDebts(t *testing.T) {
	a := New(Prepayment, Config{PaymentShare: 2500, PaymentCap: 300, Rate: [2]int64{10, 70}, Daily: [2]bool{false, true}, SuspendDisabled: true}, 1000)
	a.Debt, a.PaymentDebt = [2]int64{25, 100}, 900
	a.Hour(false)
	a.Hour(true)
	require.Equal(t, [2]int64{15, 100}, a.Debt, "suspended while the supply is off")
	a.Hour(false)
	a.Hour(false)
	a.Hour(false)
	require.Equal(t, [2]int64{0, 100}, a.Debt, "and no more than is owed")
	a.Midnight(0, false)
	a.Midnight(0, false)
	require.Zero(t, a.Debt[1])
	require.EqualValues(t, 1000-25-100, a.Balance)
	monday := int64(4 * 86400) // 5 January 1970
	require.EqualValues(t, 250, a.TopUp(monday, 1000).Debt, "a quarter")
	require.EqualValues(t, 50, a.TopUp(monday+86400, 1000).Debt, "up to the cap of the week")
	require.EqualValues(t, 250, a.TopUp(monday+7*86400, 1000).Debt)
	require.Zero(t, a.Conserved())
}

func TestLimits(t *testing.T) {
	a := New(Prepayment, Config{MaxBalance: 5000, MaxTopUp: 3000}, 1000)
	require.Equal(t, Accepted, a.Fits(3000))
	require.Equal(t, AccountHigh, a.Fits(3001))
	a.Balance = 4000
	require.Equal(t, AccountHigh, a.Fits(1001))
	require.Equal(t, AccountLow, a.Fits(-2*MaxBalance))
	require.Equal(t, "account high", AccountHigh.String())
	require.Equal(t, "locked", Locked.String())
	require.Equal(t, "prepayment", a.Mode.String())
	require.Equal(t, "credit", Credit.String())
}

var key = NewKey([16]byte{1, 2, 3})

func TestCodes(t *testing.T) {
	for _, x := range []Token{
		{Kind: Vend, Value: 1000, Counter: 1}, {Kind: Refund, Value: maxValue, Counter: maxCounter}, {Kind: Supply, Value: 1, Extra: []uint64{1_563_000_000}},
		{Kind: VendTariff, Value: 500, Counter: 77, Extra: []uint64{12_000, 17_500}}, {Kind: Engineering, Value: ServiceDefaultMode},
	} {
		code, err := key.Code(x)
		require.NoError(t, err)
		require.Len(t, code, 20*(1+len(x.Extra)))
		got, err := key.Parse(code)
		require.NoError(t, err)
		require.Equal(t, x, got)
		got, err = key.Parse(Group(code))
		require.NoError(t, err)
		require.Equal(t, x, got)
		_, err = NewKey([16]byte{9}).Parse(code)
		require.ErrorIs(t, err, ErrInvalid)
		for i := range code {
			_, err = key.Parse(code[:i])
			require.Error(t, err, "cut")
			for d := byte('0'); d <= '9'; d++ {
				if d != code[i] {
					_, err = key.Parse(code[:i] + string(d) + code[i+1:])
					require.ErrorIs(t, err, ErrIncorrect, "any one wrong digit is found")
				}
			}
		}
	}
	for _, bad := range []Token{{}, {Kind: 9}, {Kind: Vend, Value: maxValue + 1}, {Kind: Vend, Counter: maxCounter + 1}, {Kind: Vend, Extra: make([]uint64, 3)}, {Kind: Vend, Extra: []uint64{1 << 39}}} {
		_, err := key.Code(bad)
		require.Error(t, err)
	}
	_, err := key.Parse("")
	require.ErrorIs(t, err, ErrIncomplete)
	_, err = key.Parse(strings.Repeat("1", 80))
	require.ErrorIs(t, err, ErrIncomplete)
	require.Equal(t, "prepay.Key(redacted)", fmt.Sprintf("%v", key))
	require.Equal(t, "prepay.Key(redacted)", fmt.Sprintf("%#v", key))
}

// A code of one block cannot have another block put behind it, nor two codes be mixed.
func TestBlocksBelongTogether(t *testing.T) {
	a, err := key.Code(Token{Kind: Supply, Value: 1, Counter: 5, Extra: []uint64{100}})
	require.NoError(t, err)
	b, err := key.Code(Token{Kind: Supply, Value: 1, Counter: 6, Extra: []uint64{100}})
	require.NoError(t, err)
	_, err = key.Parse(a[:20] + b[20:])
	require.ErrorIs(t, err, ErrInvalid)
}

// The check digit of 236 is 3, as every description of Verhoeff's scheme has it; other
// schemes find it too that neighbours were exchanged, this one always.
func TestVerhoeff(t *testing.T) {
	require.EqualValues(t, 3, verhoeff("236"))
	require.EqualValues(t, 1, verhoeff("12345"))
	require.EqualValues(t, 0, verhoeff("123456789012"))
	r := rand.New(rand.NewSource(1))
	for range 500 {
		d := fmt.Sprintf("%019d", r.Int63())
		i := r.Intn(18)
		if d[i] != d[i+1] {
			x := d[:i] + string(d[i+1]) + string(d[i]) + d[i+2:]
			require.NotEqual(t, verhoeff(d), verhoeff(x))
		}
	}
}

func TestWindow(t *testing.T) {
	var w Window
	require.False(t, w.Used(0))
	w.Use(0)
	require.True(t, w.Used(0))
	w.Use(10)
	require.False(t, w.Used(9))
	w.Use(9)
	require.True(t, w.Used(9))
	require.True(t, w.Used(10))
	w.Use(200)
	require.True(t, w.Used(10), "so old that it counts as used")
	require.True(t, w.Used(137-1))
	require.False(t, w.Used(137))
	r := rand.New(rand.NewSource(1))
	seen := map[uint32]bool{}
	w = Window{}
	for range 2000 {
		c := uint32(r.Intn(300))
		if seen[c] {
			require.True(t, w.Used(c), "never twice")
		}
		if !w.Used(c) {
			w.Use(c)
			seen[c] = true
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, x := range []Token{{Kind: Vend, Value: 1000, Counter: 1}, {Kind: VendTariff, Value: 1, Extra: []uint64{1, 2}}} {
		code, err := key.Code(x)
		require.NoError(f, err)
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code string) {
		x, err := key.Parse(code)
		if err != nil {
			return
		}
		again, err := key.Code(x)
		require.NoError(t, err)
		require.Equal(t, strings.NewReplacer(" ", "", "-", "").Replace(code), again)
	})
}
