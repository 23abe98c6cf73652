package security

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
)

var suites = []Suite{Suite1, Suite2}

func (f *field) random(t testing.TB, seed byte) elem {
	b := make([]byte, f.size())
	_, err := seeded(seed).Read(b)
	require.NoError(t, err)
	b[0] &= 1<<(f.m%8) - 1
	e, ok := f.parse(b)
	require.True(t, ok)
	return e
}

// slowMul multiplies bit by bit.
func (f *field) slowMul(x, y *elem) (z elem) {
	for i := f.m - 1; i >= 0; i-- {
		top := z[(f.m-1)/64] >> ((f.m - 1) % 64) & 1
		var carry uint64
		for j := range z {
			carry, z[j] = z[j]>>63, z[j]<<1|carry
		}
		z[f.m/64] &= 1<<(f.m%64) - 1
		if top == 1 {
			for _, e := range f.terms {
				z[e/64] ^= 1 << (e % 64)
			}
		}
		if x[i/64]>>(i%64)&1 == 1 {
			z = f.add(&z, y)
		}
	}
	return z
}

func TestField(t *testing.T) {
	for _, f := range []*field{&field163, &field283} {
		for i := range byte(30) {
			x, y := f.random(t, 2*i), f.random(t, 2*i+1)
			p := f.mul(&x, &y)
			require.Equal(t, f.slowMul(&x, &y), p)
			require.Equal(t, f.mul(&x, &x), f.sqr(&x))
			inv := f.inv(&x)
			require.Equal(t, elem{1}, f.mul(&x, &inv))
			back, ok := f.parse(f.bytes(nil, &p))
			require.True(t, ok)
			require.Equal(t, p, back)
			u := f.sqr(&x)
			u = f.add(&u, &x) // has the solutions x and x+1
			z := f.halfTrace(&u)
			z[0] ^= (z[0] ^ x[0]) & 1
			require.Equal(t, x, z)
		}
		zero := elem{}
		require.Equal(t, zero, f.inv(&zero))
		over := make([]byte, f.size())
		over[0] = 1 << (f.m % 8)
		_, ok := f.parse(over)
		require.False(t, ok)
	}
}

func TestScalars(t *testing.T) {
	for _, s := range suites {
		o := s.curve().o
		n := new(big.Int).SetBytes(o.bytes(nil, &o.n, s.ScalarSize()))
		require.True(t, n.ProbablyPrime(20))
		require.Equal(t, n.BitLen(), o.bits)
		value := func(x *scalar) *big.Int { return new(big.Int).SetBytes(o.bytes(nil, x, s.ScalarSize())) }
		for i := range byte(40) {
			a, b := make([]byte, int(i)*2), make([]byte, 8*o.words)
			_, err := seeded(i).Read(a)
			require.NoError(t, err)
			_, err = seeded(100 + i).Read(b)
			require.NoError(t, err)
			x, y := o.parse(a), o.parse(b)
			bigA, bigB := new(big.Int).SetBytes(a), new(big.Int).SetBytes(b)
			bigA.Mod(bigA, n)
			bigB.Mod(bigB, n)
			require.Equal(t, bigA.String(), value(&x).String(), "%d octets", len(a))
			require.Equal(t, bigB.String(), value(&y).String())
			p, q := o.mul(&x, &y), o.add(&x, &y)
			want := new(big.Int).Mul(bigA, bigB)
			require.Equal(t, want.Mod(want, n).String(), value(&p).String())
			want.Add(bigA, bigB)
			require.Equal(t, want.Mod(want, n).String(), value(&q).String())
			if !y.isZero() {
				inv := o.inverse(&y)
				require.Equal(t, new(big.Int).ModInverse(bigB, n).String(), value(&inv).String())
			}
		}
		least := o.n
		least[0]--
		sum := o.add(&least, &scalar{1})
		require.Equal(t, scalar{}, sum)
	}
}

func TestCurve(t *testing.T) {
	for _, s := range suites {
		c := s.curve()
		zero := c.multiply(&scalar{}, &c.g)
		require.True(t, zero.inf)
		require.True(t, func() bool { p := c.multiply(&c.o.n, &c.g); return p.inf }(), "n·G is infinity")
		sum := point{inf: true}
		for k := range uint64(40) {
			p := c.multiply(&scalar{k}, &c.g)
			require.Equal(t, sum, p, "%d·G by the ladder and by addition", k)
			if !p.inf {
				q, err := c.decompress(c.appendCompressed(nil, &p))
				require.NoError(t, err)
				require.Equal(t, p, q)
				minus := point{x: p.x, y: c.f.add(&p.x, &p.y)}
				require.True(t, func() bool { z := c.add(&p, &minus); return z.inf }())
			}
			sum = c.add(&sum, &c.g)
		}
		last := c.o.n
		last[0]--
		p := c.multiply(&last, &c.g)
		require.Equal(t, point{x: c.g.x, y: c.f.add(&c.g.x, &c.g.y)}, p, "(n-1)·G is -G")
	}
}

func TestPublicKeyRefused(t *testing.T) {
	for _, s := range suites {
		size := s.PointSize()
		for _, b := range [][]byte{nil, make([]byte, size), append([]byte{2}, make([]byte, size-1)...), append([]byte{4}, make([]byte, size-1)...), make([]byte, size+1), append([]byte{2}, repeat(0xFF, size-1)...)} {
			_, err := ParsePublicKey(s, b)
			require.ErrorIs(t, err, ErrPoint)
		}
		// x = 1 has small order on both curves or is on neither; about half of the others are no points.
		on := 0
		for x := range 40 {
			b := make([]byte, size)
			b[0], b[size-1] = 2, byte(x)
			if _, err := ParsePublicKey(s, b); err == nil {
				on++
			}
		}
		require.Greater(t, on, 5)
		require.Less(t, on, 35)
	}
	_, err := ParsePublicKey(3, nil)
	require.ErrorIs(t, err, ErrSuite)
	_, err = PublicKey{}.AppendBinary(nil)
	require.ErrorIs(t, err, ErrSuite)
}

func TestPrivateKey(t *testing.T) {
	for _, s := range suites {
		o := s.curve().o
		_, err := ParsePrivateKey(s, make([]byte, s.ScalarSize()))
		require.ErrorIs(t, err, ErrPrivateKey)
		_, err = ParsePrivateKey(s, o.bytes(nil, &o.n, s.ScalarSize()))
		require.ErrorIs(t, err, ErrPrivateKey, "the order itself is zero")
		_, err = ParsePrivateKey(s, []byte{1})
		require.Error(t, err)
		k, err := ParsePrivateKey(s, repeat(0xFF, s.ScalarSize()))
		require.NoError(t, err)
		require.NotEqual(t, repeat(0xFF, s.ScalarSize()), k.Reveal(), "reduced, not refused")
		again := private(t, s, k.Reveal())
		require.True(t, k.Equal(again))
	}
}

func TestSignVerify(t *testing.T) {
	for _, s := range suites {
		k, err := GeneratePrivateKey(seeded(1), s)
		require.NoError(t, err)
		digest := Hash([]byte("an image"))
		sig, err := k.Sign(seeded(2), digest)
		require.NoError(t, err)
		require.Len(t, sig, 2*s.ScalarSize())
		require.NoError(t, k.Public().Verify(digest, sig))
		other, err := GeneratePrivateKey(seeded(3), s)
		require.NoError(t, err)
		require.ErrorIs(t, other.Public().Verify(digest, sig), ErrSignature)
		clear(sig[:s.ScalarSize()])
		require.ErrorIs(t, k.Public().Verify(digest, sig), ErrSignature)
		require.ErrorIs(t, k.Public().Verify(digest, repeat(0xFF, 2*s.ScalarSize())), ErrSignature)
	}
}

func FuzzParsePublicKey(f *testing.F) {
	for s, x := range traces(f) {
		f.Add(uint16(s), []byte(x.CAPublic))
		f.Add(uint16(s), []byte(x.U.EphemeralPublic))
	}
	f.Fuzz(func(t *testing.T, s uint16, b []byte) {
		k, err := ParsePublicKey(Suite(s), b)
		if err == nil {
			require.Equal(t, b, k.Bytes())
		}
	})
}

func BenchmarkMultiply(b *testing.B) {
	for _, s := range suites {
		b.Run(s.String(), func(b *testing.B) {
			k, err := GeneratePrivateKey(seeded(1), s)
			require.NoError(b, err)
			for b.Loop() {
				k.Public()
			}
		})
	}
}
