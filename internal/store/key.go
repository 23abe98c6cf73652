package store

import (
	"fmt"
	"strings"
)

const hexDigits = "0123456789ABCDEF"

// escapeKey writes a key in the alphabet of JetStream; see the package comment.
func escapeKey(key string) string {
	b := make([]byte, 0, len(key)+8)
	start := true
	for i := range len(key) {
		c := key[i]
		switch {
		case c == '/':
			if start {
				b = append(b, '=')
			}
			b = append(b, '.')
			start = true
			continue
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			b = append(b, c)
		default:
			b = append(b, '=', hexDigits[c>>4], hexDigits[c&15])
		}
		start = false
	}
	if start {
		b = append(b, '=')
	}
	return string(b)
}

// unescapeKey reads what escapeKey wrote. Anything else is an error: someone else wrote into the bucket.
func unescapeKey(s string) (string, error) {
	var b []byte
	for i, part := range strings.Split(s, ".") {
		if i > 0 {
			b = append(b, '/')
		}
		if part == "=" {
			continue
		}
		for j := 0; j < len(part); j++ {
			c := part[j]
			if c == '=' {
				if j+2 >= len(part) {
					return "", foreignKey(s)
				}
				hi, lo := strings.IndexByte(hexDigits, part[j+1]), strings.IndexByte(hexDigits, part[j+2])
				if hi < 0 || lo < 0 {
					return "", foreignKey(s)
				}
				c = byte(hi<<4 | lo)
				j += 2
			}
			b = append(b, c)
		}
	}
	if key := string(b); escapeKey(key) == s {
		return key, nil
	}
	return "", foreignKey(s)
}

func foreignKey(s string) error {
	return fmt.Errorf("store: the bucket has a key %q that was not written by this program: remove it", s)
}

// filterFor returns the pattern that the server filters by: all whole segments of the prefix, then anything.
func filterFor(prefix string) string {
	i := strings.LastIndexByte(prefix, '/')
	if i < 0 {
		return ">"
	}
	return escapeKey(prefix[:i]) + ".>"
}
