package firmware

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// ErrNotInLibrary is what Library.Get reports (wrapped) for an unknown digest.
var ErrNotInLibrary = errors.New("no such image in the library")

const fileSuffix = ".s1fw"

// Library keeps images by digest: in memory, or in a folder with one file per
// image, named by its digest. The same image is kept once. A Library is safe
// for concurrent use; several processes may share a folder.
type Library struct {
	dir    string // empty: memory only
	mu     sync.RWMutex
	images map[Digest]libraryEntry
}

type libraryEntry struct {
	header Header
	image  []byte // nil while it lies only in the folder
}

// NewLibrary gives an empty library in memory.
func NewLibrary() *Library { return &Library{images: map[Digest]libraryEntry{}} }

// OpenLibrary opens a folder of images, which it makes if need be. A file
// whose content is not what its name says is reported, with its path.
func OpenLibrary(dir string) (*Library, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("firmware: open library: %w", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("firmware: open library: %w", err)
	}
	l := NewLibrary()
	l.dir = dir
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), fileSuffix)
		if !ok {
			continue
		}
		path := filepath.Join(dir, f.Name())
		want, err := ParseDigest(name)
		if err != nil {
			return nil, fmt.Errorf("firmware: open library: %s: %w", path, err)
		}
		image, err := l.read(want)
		if err != nil {
			return nil, err
		}
		h, _, err := ParseHeader(image)
		if err != nil {
			return nil, fmt.Errorf("firmware: open library: %s: %w", path, err)
		}
		l.images[want] = libraryEntry{header: h}
	}
	return l, nil
}

func (l *Library) path(d Digest) string { return filepath.Join(l.dir, d.String()+fileSuffix) }

func (l *Library) read(d Digest) ([]byte, error) {
	image, err := os.ReadFile(l.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("firmware: image %s: %w", d, ErrNotInLibrary)
	}
	if err != nil {
		return nil, fmt.Errorf("firmware: image %s: %w", d, err)
	}
	if got := DigestOf(image); got != d {
		return nil, fmt.Errorf("firmware: %s holds an image with digest %s: the file is damaged, replace it", l.path(d), got)
	}
	return image, nil
}

// Put adds an encoded image, of which it keeps the slice. The form of its
// header is checked, not its digest or signature: a laboratory wants corrupt
// images too, and it is for the device to refuse them.
func (l *Library) Put(image []byte) (Digest, error) {
	h, _, err := ParseHeader(image)
	if err != nil {
		return Digest{}, err
	}
	d := DigestOf(image)
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, have := l.images[d]; have {
		return d, nil
	}
	if l.dir == "" {
		l.images[d] = libraryEntry{h, image}
		return d, nil
	}
	if err := l.write(d, image); err != nil {
		return Digest{}, fmt.Errorf("firmware: store image %s: %w", d, err)
	}
	l.images[d] = libraryEntry{header: h}
	return d, nil
}

// write puts the file in place in one step, so that no reader sees half of it.
func (l *Library) write(d Digest, image []byte) (err error) {
	f, err := os.CreateTemp(l.dir, ".put-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(image)
	if err = errors.Join(err, f.Sync(), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), l.path(d))
}

// Get gives the image with digest d; the caller must not change it. The error
// is ErrNotInLibrary if there is none.
func (l *Library) Get(d Digest) ([]byte, error) {
	l.mu.RLock()
	e := l.images[d]
	l.mu.RUnlock()
	if e.image != nil {
		return e.image, nil
	}
	if l.dir == "" {
		return nil, fmt.Errorf("firmware: image %s: %w", d, ErrNotInLibrary)
	}
	return l.read(d)
}

// Listed is one line of Library.List.
type Listed struct {
	Digest Digest
	Header Header
}

// List gives all images, ordered by type, manufacturer, model, version, digest.
func (l *Library) List() []Listed {
	l.mu.RLock()
	all := make([]Listed, 0, len(l.images))
	for d, e := range l.images {
		all = append(all, Listed{d, e.header})
	}
	l.mu.RUnlock()
	slices.SortFunc(all, func(a, b Listed) int {
		if a.Header.Type != b.Header.Type {
			return int(a.Header.Type) - int(b.Header.Type)
		}
		if c := strings.Compare(a.Header.Manufacturer, b.Header.Manufacturer); c != 0 {
			return c
		}
		if c := strings.Compare(a.Header.Model, b.Header.Model); c != 0 {
			return c
		}
		if c := CompareVersions(a.Header.Version, b.Header.Version); c != 0 {
			return c
		}
		return slices.Compare(a.Digest[:], b.Digest[:])
	})
	return all
}
