// Package aezip reads and writes a zip file that holds exactly one entry, encrypted with
// AES-256 as WinZip AE-2 lays down (published: WinZip, "AES Encryption Information", version 1.04).
//
//	local and central header:
//	  general purpose flag      bit 0 set (encrypted)
//	  compression method        99
//	  CRC-32                    0: AE-2 has none, the authentication code takes its place
//	  extra field               id 0x9901 LE16 · size 7 LE16 · version 2 LE16 · "AE" · strength 3 · real method LE16
//	entry data:
//	  salt(16) · password verifier(2) · ciphertext · authentication code(10)
//
// Keys come from PBKDF2-HMAC-SHA1, 1000 rounds as that format requires, over password and salt:
// encryption key(32) · authentication key(32) · verifier(2). The cipher is AES in counter mode with
// a little-endian counter that starts at 1; the code is HMAC-SHA1 over the ciphertext, its first
// 10 octets. The real method is 0 (stored) or 8 (deflate).
//
// Reading authenticates the whole ciphertext before a single octet is decrypted, and inflates
// under a limit, so that neither a changed file nor a zip bomb gets further than an error.
package aezip

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // the format requires it
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	method       = 99
	extraID      = 0x9901
	strength256  = 3
	saltLen      = 16
	keyLen       = 32
	verifierLen  = 2
	codeLen      = 10
	rounds       = 1000
	flagCrypt    = 1
	flagUTF8     = 1 << 11
	versionAE2   = 2
	overhead     = saltLen + verifierLen + codeLen
	maxNameBytes = 255
)

// The ways in which a container is refused. Each is wrapped in an error that says more.
var (
	ErrFormat   = errors.New("not a zip file with one AES-256 entry")
	ErrPassword = errors.New("the password does not open the zip file")
	ErrChanged  = errors.New("the zip entry was changed or cut: its authentication code does not match")
	ErrTooLarge = errors.New("the zip file is larger than its limit")
	errDerive   = errors.New("zip: cannot derive keys")
)

// Limits bounds what reading may use.
type Limits struct {
	MaxArchive int64 // octets of the zip file; 0 means 64 MiB
	MaxContent int64 // octets of the entry after inflating, as declared and as found; 0 means 16 MiB
}

func (l Limits) filled() Limits {
	if l.MaxArchive == 0 {
		l.MaxArchive = 64 << 20
	}
	if l.MaxContent == 0 {
		l.MaxContent = 16 << 20
	}
	return l
}

// Read opens the one entry of the zip file of size octets behind src. It gives the entry's name
// and its content.
func Read(src io.ReaderAt, size int64, password []byte, limits Limits) (name string, content []byte, err error) {
	limits = limits.filled()
	if size > limits.MaxArchive {
		return "", nil, fmt.Errorf("%w: %d octets, at most %d are read", ErrTooLarge, size, limits.MaxArchive)
	}
	zr, err := zip.NewReader(src, size)
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if len(zr.File) != 1 {
		return "", nil, fmt.Errorf("%w: it has %d entries and must have one", ErrFormat, len(zr.File))
	}
	f := zr.File[0]
	if len(f.Name) > maxNameBytes || strings.ContainsAny(f.Name, `/\`) {
		return "", nil, fmt.Errorf("%w: entry name %q must be a plain file name", ErrFormat, clip(f.Name))
	}
	if f.Flags&flagCrypt == 0 || f.Method != method {
		return "", nil, fmt.Errorf("%w: entry %q is not encrypted with AES (method %d)", ErrFormat, f.Name, f.Method)
	}
	real, err := realMethod(f.Extra)
	if err != nil {
		return "", nil, err
	}
	if f.UncompressedSize64 > uint64(limits.MaxContent) {
		return "", nil, fmt.Errorf("%w: entry %q declares %d octets, at most %d are read", ErrTooLarge, f.Name, f.UncompressedSize64, limits.MaxContent)
	}
	if f.CompressedSize64 < overhead || f.CompressedSize64 > uint64(size) {
		return "", nil, fmt.Errorf("%w: entry %q declares %d octets of data", ErrFormat, f.Name, f.CompressedSize64)
	}
	start, err := f.DataOffset()
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	content, err = open(io.NewSectionReader(src, start, int64(f.CompressedSize64)), real, password, limits.MaxContent)
	if err != nil {
		return "", nil, err
	}
	if uint64(len(content)) != f.UncompressedSize64 {
		return "", nil, fmt.Errorf("%w: entry %q has %d octets and declares %d", ErrFormat, f.Name, len(content), f.UncompressedSize64)
	}
	return f.Name, content, nil
}

// open authenticates, then decrypts and inflates one entry's data.
func open(data *io.SectionReader, real uint16, password []byte, limit int64) ([]byte, error) {
	var head [saltLen + verifierLen]byte
	if _, err := data.ReadAt(head[:], 0); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	keys, err := derive(password, head[:saltLen])
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(keys[2*keyLen:], head[saltLen:]) != 1 {
		return nil, ErrPassword
	}
	n := data.Size() - overhead
	mac := hmac.New(sha1.New, keys[keyLen:2*keyLen])
	if _, err := io.Copy(mac, io.NewSectionReader(data, saltLen+verifierLen, n)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	var code [codeLen]byte
	if _, err := data.ReadAt(code[:], saltLen+verifierLen+n); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if !hmac.Equal(mac.Sum(nil)[:codeLen], code[:]) {
		return nil, ErrChanged
	}
	stream, err := newCTR(keys[:keyLen])
	if err != nil {
		return nil, err
	}
	var r io.Reader = cipher.StreamReader{S: stream, R: io.NewSectionReader(data, saltLen+verifierLen, n)}
	if real == zip.Deflate {
		r = flate.NewReader(r)
	}
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("%w: the entry inflates to more than %d octets", ErrTooLarge, limit)
	}
	return content, nil
}

// realMethod finds the compression method in the AE extra field.
func realMethod(extra []byte) (uint16, error) {
	for len(extra) >= 4 {
		id, n := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		extra = extra[4:]
		if n > len(extra) {
			break
		}
		if id == extraID {
			x := extra[:n]
			if n != 7 || x[2] != 'A' || x[3] != 'E' || binary.LittleEndian.Uint16(x) != versionAE2 {
				return 0, fmt.Errorf("%w: the encryption must be AE-2", ErrFormat)
			}
			if x[4] != strength256 {
				return 0, fmt.Errorf("%w: the encryption must be AES-256, strength 3, and is strength %d", ErrFormat, x[4])
			}
			m := binary.LittleEndian.Uint16(x[5:])
			if m != zip.Store && m != zip.Deflate {
				return 0, fmt.Errorf("%w: compression method %d inside the encryption; stored and deflate are read", ErrFormat, m)
			}
			return m, nil
		}
		extra = extra[n:]
	}
	return 0, fmt.Errorf("%w: the AE extra field is missing", ErrFormat)
}

// Write makes the zip file of one entry, deflated and encrypted. The salt, 16 octets, is read
// from random; modified is the entry's time.
func Write(w io.Writer, name string, content, password []byte, modified time.Time, random io.Reader) error {
	var data bytes.Buffer
	fw, err := flate.NewWriter(&data, flate.DefaultCompression)
	if err != nil {
		return err
	}
	if _, err := fw.Write(content); err != nil {
		return err
	}
	if err := fw.Close(); err != nil {
		return err
	}
	return WriteDeflated(w, name, data.Bytes(), uint64(len(content)), password, modified, random)
}

// WriteDeflated is [Write] for content that is deflated already: size is what it inflates to.
func WriteDeflated(w io.Writer, name string, deflated []byte, size uint64, password []byte, modified time.Time, random io.Reader) error {
	if len(password) == 0 {
		return errors.New("zip: an empty password protects nothing; give one")
	}
	if name == "" || len(name) > maxNameBytes || strings.ContainsAny(name, `/\`) {
		return fmt.Errorf("zip: entry name %q must be a plain file name", clip(name))
	}
	salt := make([]byte, saltLen)
	if _, err := io.ReadFull(random, salt); err != nil {
		return fmt.Errorf("zip: reading salt: %w", err)
	}
	keys, err := derive(password, salt)
	if err != nil {
		return err
	}
	data := bytes.Clone(deflated)
	stream, err := newCTR(keys[:keyLen])
	if err != nil {
		return err
	}
	stream.XORKeyStream(data, data)
	mac := hmac.New(sha1.New, keys[keyLen:2*keyLen])
	mac.Write(data)

	extra := binary.LittleEndian.AppendUint16(nil, extraID)
	extra = binary.LittleEndian.AppendUint16(extra, 7)
	extra = binary.LittleEndian.AppendUint16(extra, versionAE2)
	extra = append(extra, 'A', 'E', strength256)
	extra = binary.LittleEndian.AppendUint16(extra, zip.Deflate)

	zw := zip.NewWriter(w)
	h := &zip.FileHeader{
		Name: name, Method: method, Flags: flagCrypt | flagUTF8, Extra: extra, ReaderVersion: 51, // 5.1 is what AES asks for
		CompressedSize64: uint64(len(data) + overhead), UncompressedSize64: size,
	}
	h.ModifiedDate, h.ModifiedTime = dosTime(modified) //nolint:staticcheck // CreateRaw writes these and not Modified
	ew, err := zw.CreateRaw(h)
	if err != nil {
		return err
	}
	for _, part := range [][]byte{salt, keys[2*keyLen:], data, mac.Sum(nil)[:codeLen]} {
		if _, err := ew.Write(part); err != nil {
			return err
		}
	}
	return zw.Close()
}

func derive(password, salt []byte) ([]byte, error) {
	keys, err := pbkdf2.Key(sha1.New, string(password), salt, rounds, 2*keyLen+verifierLen)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDerive, err)
	}
	return keys, nil
}

// ctr is AES in counter mode with the little-endian counter of this format, which is not the
// counter of crypto/cipher.
type ctr struct {
	block   cipher.Block
	counter [aes.BlockSize]byte
	pad     [aes.BlockSize]byte
	used    int
}

func newCTR(key []byte) (*ctr, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return &ctr{block: b, used: aes.BlockSize}, nil
}

// XORKeyStream implements cipher.Stream.
func (c *ctr) XORKeyStream(dst, src []byte) {
	for len(src) > 0 {
		if c.used == aes.BlockSize {
			for j := range c.counter {
				c.counter[j]++
				if c.counter[j] != 0 {
					break
				}
			}
			c.block.Encrypt(c.pad[:], c.counter[:])
			c.used = 0
		}
		n := subtle.XORBytes(dst, src, c.pad[c.used:])
		dst, src = dst[n:], src[n:]
		c.used += n
	}
}

// dosTime gives the date and time words of a zip header; the format knows no zone and starts in 1980.
func dosTime(t time.Time) (date, clock uint16) {
	t = t.UTC()
	if t.Year() < 1980 || t.Year() > 2107 {
		return 1<<5 | 1, 0
	}
	return uint16(t.Day() + int(t.Month())<<5 + (t.Year()-1980)<<9), uint16(t.Second()/2 + t.Minute()<<5 + t.Hour()<<11)
}

func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "�") + "…"
	}
	return s
}
