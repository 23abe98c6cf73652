package keystore

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// handoverColumns are the columns of a handover in CSV, in any order, under a line
// with these names. The first five and guek, gak and kek must be there; the owner
// is the same in every row.
var handoverColumns = []string{"owner", "eui", "type", "key_version", "guek", "gak", "kek", "gbek", "system_title", "invocation_counter"}

const neededColumns = 7

func parseHandoverCSV(b []byte) (Handover, error) {
	fail := func(format string, args ...any) (Handover, error) {
		return Handover{}, fmt.Errorf("keystore: handover file: "+format, args...)
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff"))))
	r.TrimLeadingSpace = true
	head, err := r.Read()
	if err != nil {
		return fail("not CSV with a line of column names: %w", hideCSV(err))
	}
	at := map[string]int{}
	for i, name := range head {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := at[name]; twice || !slices.Contains(handoverColumns, name) {
			// The name is not shown: a file without a head has a key there.
			return fail("column %d is unknown or there twice: want the names %s", i+1, strings.Join(handoverColumns, ", "))
		}
		at[name] = i
	}
	for _, name := range handoverColumns[:neededColumns] {
		if _, ok := at[name]; !ok {
			return fail("there is no column %s", name)
		}
	}
	f := handoverFile{Format: HandoverFormat}
	for line := 2; ; line++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return f.check()
		}
		if err != nil {
			return fail("%w", hideCSV(err))
		}
		cell := func(name string) string {
			if i, ok := at[name]; ok {
				return strings.TrimSpace(row[i])
			}
			return ""
		}
		number := func(name string) (uint32, error) {
			s := cell(name)
			if s == "" {
				return 0, nil
			}
			n, err := strconv.ParseUint(s, 10, 32)
			if err != nil {
				return 0, fmt.Errorf("keystore: handover file: line %d: %s is no number from 0 to 4294967295", line, name)
			}
			return uint32(n), nil
		}
		version, err1 := number("key_version")
		counter, err2 := number("invocation_counter")
		if err := errors.Join(err1, err2); err != nil {
			return Handover{}, err
		}
		if owner := cell("owner"); f.Owner == "" {
			f.Owner = owner
		} else if owner != f.Owner {
			return fail("line %d: owner is %.40q, and %.40q in the lines before: one file is of one owner", line, owner, f.Owner)
		}
		f.Devices = append(f.Devices, handoverRecord{
			EUI: cell("eui"), Type: cell("type"), Title: cell("system_title"), Version: version, Counter: counter,
			GUEK: cell("guek"), GBEK: cell("gbek"), GAK: cell("gak"), KEK: cell("kek"),
		})
	}
}

// hideCSV gives a CSV error without what it is about, which may be a key.
func hideCSV(err error) error {
	var p *csv.ParseError
	if errors.As(err, &p) {
		return fmt.Errorf("line %d: %w", p.Line, p.Err)
	}
	return err
}
