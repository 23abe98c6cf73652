package axdr

// skipDepth bounds the recursion of Skip; it is the depth default of Limits.
const skipDepth = defaultDepth

// Skip measures the encoded Data at the start of b without decoding or
// allocating. It follows containers to their end, so n is exact; what a
// compact array has packed inside is left for Parse to judge.
func Skip(b []byte) (n int, err error) { return skip(b, 0, 0) }

// skip measures the Data at b[off:]. Every element costs at least one byte of
// input, so the work is linear in it whatever the counts claim.
func skip(b []byte, off, depth int) (int, error) {
	start := off
	if off >= len(b) {
		return 0, &Error{Offset: off, What: "data", Err: ErrTruncated}
	}
	if depth > skipDepth {
		return 0, &Error{Offset: off, What: "depth of nesting", Err: ErrLimit}
	}
	tag := Tag(b[off])
	off++
	size := tag.fixedSize()
	if size >= 0 {
		return checked(b, start, off, size, tag)
	}
	switch tag {
	case TagArray, TagStructure:
		count, n, err := parseLength(b[off:])
		if err != nil {
			return 0, &Error{Offset: off, What: tag.String(), Err: err}
		}
		off += n
		if count > len(b)-off {
			return 0, &Error{Offset: off, What: tag.String(), Err: ErrTruncated}
		}
		for range count {
			n, err := skip(b, off, depth+1)
			if err != nil {
				return 0, err
			}
			off += n
		}
		return off - start, nil
	case TagBitString, TagOctetString, TagVisibleString, TagUTF8:
		length, n, err := parseLength(b[off:])
		if err != nil {
			return 0, &Error{Offset: off, What: tag.String(), Err: err}
		}
		if tag == TagBitString {
			length = length/8 + (length%8+7)/8
		}
		return checked(b, start, off+n, length, tag)
	case TagCompactArray:
		n, err := skipType(b, off, depth+1)
		if err != nil {
			return 0, err
		}
		off += n
		length, n, err := parseLength(b[off:])
		if err != nil {
			return 0, &Error{Offset: off, What: tag.String(), Err: err}
		}
		return checked(b, start, off+n, length, tag)
	default:
	}
	return 0, &Error{Offset: start, What: "data", Err: ErrTag}
}

// checked ends a measurement whose last part is size bytes at off.
func checked(b []byte, start, off, size int, tag Tag) (int, error) {
	if size > len(b)-off {
		return 0, &Error{Offset: off, What: tag.String(), Err: ErrTruncated}
	}
	return off + size - start, nil
}

// skipType measures the type description of a compact array at b[off:].
func skipType(b []byte, off, depth int) (int, error) {
	start := off
	if off >= len(b) {
		return 0, &Error{Offset: off, What: "type description", Err: ErrTruncated}
	}
	if depth > skipDepth {
		return 0, &Error{Offset: off, What: "depth of type description", Err: ErrLimit}
	}
	tag := Tag(b[off])
	off++
	switch tag {
	case TagArray:
		if len(b)-off < 2 {
			return 0, &Error{Offset: off, What: "type description", Err: ErrTruncated}
		}
		n, err := skipType(b, off+2, depth+1)
		return off + 2 + n - start, err
	case TagStructure:
		count, n, err := parseLength(b[off:])
		if err != nil {
			return 0, &Error{Offset: off, What: "type description", Err: err}
		}
		off += n
		if count > len(b)-off {
			return 0, &Error{Offset: off, What: "type description", Err: ErrTruncated}
		}
		for range count {
			n, err := skipType(b, off, depth+1)
			if err != nil {
				return 0, err
			}
			off += n
		}
		return off - start, nil
	case TagCompactArray:
		// A compact array inside a compact array is not in the type description CHOICE.
		return 0, &Error{Offset: start, What: "type description", Err: ErrTag}
	default:
	}
	if !tag.Valid() {
		return 0, &Error{Offset: start, What: "type description", Err: ErrTag}
	}
	return off - start, nil
}
