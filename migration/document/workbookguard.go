package document

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The workbook library makes room for every row and column that a sheet claims to have, so a file of a few kilobytes can ask for
// gigabytes. guardWorkbook looks at what every part claims before the library does.
//
// maxColumns is more than any form has; a person's notes beside a table are still told as such.
const maxColumns = 64

var errClaims = errors.New("a sheet claims more rows or columns than the form has")

// guardWorkbook refuses a workbook with rows beyond a limit, columns beyond maxColumns, rows out of order, or too large unpacked.
func guardWorkbook(content []byte, rows int) error {
	zr, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return err
	}
	if len(zr.File) > 1000 {
		return fmt.Errorf("it has %d parts", len(zr.File))
	}
	left := int64(maxUnzipped)
	for _, f := range zr.File {
		r, err := f.Open()
		if err != nil {
			return err
		}
		limited := &io.LimitedReader{R: r, N: left + 1}
		err = guardPart(limited, rows)
		if err == nil {
			_, err = io.Copy(io.Discard, limited)
		}
		left = limited.N - 1
		if e := r.Close(); err == nil {
			err = e
		}
		switch {
		case left < 0:
			return fmt.Errorf("it unpacks to more than %d octets", maxUnzipped)
		case err != nil:
			return err
		}
	}
	return nil
}

// guardPart looks at the rows and cells of one part, whatever its name: which part is a sheet, the workbook itself decides. A part that
// is not XML has none.
func guardPart(r io.Reader, rows int) error {
	d := xml.NewDecoder(r)
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	d.Strict = false
	row, column := 0, 0
	for {
		t, err := d.Token()
		if err != nil {
			return nil // its end, or no XML: the library judges that
		}
		e, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		ref := ""
		for _, a := range e.Attr {
			if a.Name.Local == "r" {
				ref = a.Value
			}
		}
		switch e.Name.Local {
		case "row":
			was := row
			row++
			if ref != "" {
				if row, err = strconv.Atoi(ref); err != nil || row <= was {
					return errClaims
				}
			}
			if column = 0; row > rows {
				return errClaims
			}
		case "c":
			column++
			if ref != "" {
				if column = columnOf(ref); column == 0 {
					return errClaims
				}
			}
			if column > maxColumns {
				return errClaims
			}
		}
	}
}

// columnOf gives the column of a cell reference like F12, 1 for A; 0 when it is none.
func columnOf(ref string) int {
	letters := strings.TrimRight(ref, "0123456789")
	if letters == "" || len(letters) > 3 || len(letters) == len(ref) {
		return 0
	}
	n := 0
	for _, c := range []byte(letters) {
		if c < 'A' || c > 'Z' {
			return 0
		}
		n = 26*n + int(c-'A') + 1
	}
	return n
}
