// Package chain keeps an append-only file of lines in which each line holds the digest of the one before, so that a line that
// was changed, taken out or put in is found.
//
// A line is a JSON object that has at least
//
//	seq   1 for the first line, then one more each
//	prev  SHA-256, in hexadecimal, of the line before without its line end; zeros for the first
//
// Lines that were cut off the end leave no trace in the file: whoever keeps a Head elsewhere can tell. The format is ours.
package chain

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// Head is the end of a chain.
type Head struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
}

// MaxLine bounds a line, in bytes.
const MaxLine = 1 << 20

// ErrChanged means that a file is not what was written.
var ErrChanged = errors.New("the chain is broken")

var errCut = errors.New("the last line is cut")

func genesis() Head { return Head{Hash: strings.Repeat("0", 2*sha256.Size)} }

type link struct {
	Seq  uint64 `json:"seq"`
	Prev string `json:"prev"`
}

// Verify reads a file from its beginning, compares every link, and gives each line to each (nil for none).
func Verify(r io.Reader, each func(line []byte) error) (Head, error) {
	h, _, err := scan(r, each)
	return h, err
}

// scan also tells how many bytes of whole, good lines there are.
func scan(r io.Reader, each func([]byte) error) (head Head, good int64, err error) {
	head = genesis()
	s := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := readLine(s)
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return head, good, nil
		}
		n := head.Seq + 1
		if errors.Is(err, io.EOF) {
			return head, good, fmt.Errorf("%w: line %d: %w", ErrChanged, n, errCut)
		}
		if err != nil {
			return head, good, fmt.Errorf("line %d: %w", n, err)
		}
		var l link
		if err := json.Unmarshal(line, &l); err != nil {
			return head, good, fmt.Errorf("%w: line %d is no record: %w", ErrChanged, n, err)
		}
		if l.Seq != n {
			return head, good, fmt.Errorf("%w: line %d carries the number %d", ErrChanged, n, l.Seq)
		}
		if l.Prev != head.Hash {
			return head, good, fmt.Errorf("%w: line %d does not follow line %d", ErrChanged, n, n-1)
		}
		if each != nil {
			if err := each(line); err != nil {
				return head, good, fmt.Errorf("line %d: %w", n, err)
			}
		}
		head = after(line, n)
		good += int64(len(line)) + 1
	}
}

func after(line []byte, seq uint64) Head {
	sum := sha256.Sum256(line)
	return Head{Seq: seq, Hash: hex.EncodeToString(sum[:])}
}

func readLine(r *bufio.Reader) ([]byte, error) {
	var out []byte
	for {
		part, err := r.ReadSlice('\n')
		out = append(out, part...)
		switch {
		case len(out) > MaxLine:
			return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrChanged, MaxLine)
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil:
			return out, err
		default:
			return out[:len(out)-1], nil
		}
	}
}

// File is a chain that is appended to. It is safe for concurrent use.
type File struct {
	mu   sync.Mutex
	f    *os.File
	head Head
	err  error
}

// Open opens or creates a file and goes on at its end. The whole chain is verified first. A last line that a crash cut off is
// taken away: it was never acknowledged. Anything else that does not fit is an error, and the file is left alone.
func Open(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	head, good, err := scan(f, nil)
	if errors.Is(err, errCut) {
		err = f.Truncate(good)
	}
	if err == nil {
		_, err = f.Seek(good, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &File{f: f, head: head}, nil
}

// Append writes a record, a JSON object without seq and prev, and with sync has it on the disk when it returns. After a failed
// write the file stays failed: a line that may be half written must not be followed by another.
func (c *File) Append(record any, sync bool) error {
	b, err := json.Marshal(record)
	if err != nil {
		return err
	}
	if len(b) < 2 || b[0] != '{' {
		return fmt.Errorf("chain: a record must be a JSON object, not %.20s", b)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	n := c.head.Seq + 1
	line := fmt.Appendf(nil, `{"seq":%d,"prev":"%s"`, n, c.head.Hash)
	if rest := bytes.TrimPrefix(b, []byte("{")); len(rest) > 1 {
		line = append(append(line, ','), rest...)
	} else {
		line = append(line, '}')
	}
	if len(line) > MaxLine {
		return fmt.Errorf("chain: a record of %d bytes: the limit is %d", len(line), MaxLine)
	}
	if _, err := c.f.Write(append(line, '\n')); err != nil {
		c.err = fmt.Errorf("chain: record %d: %w", n, err)
		return c.err
	}
	c.head = after(line[:len(line):len(line)], n)
	if sync {
		if err := c.f.Sync(); err != nil {
			c.err = fmt.Errorf("chain: record %d: %w", n, err)
		}
	}
	return c.err
}

// Head is the present end.
func (c *File) Head() Head {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head
}

// Close has everything on the disk and closes the file.
func (c *File) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.f.Sync(), c.f.Close())
}
