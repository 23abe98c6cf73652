// Package axdr encodes and decodes the Data type of DLMS/COSEM in A-XDR
// (IEC 61334-6; the Data CHOICE of IEC 62056-5-3, published).
//
// Every Data begins with a tag byte; what follows depends on it:
//
//	tag (dec)  name                          content
//	0          null-data                     nothing
//	1          array                         length n, then n Data
//	2          structure                     length n, then n Data
//	3          boolean                       1 byte, 00 false, anything else true (01 is sent)
//	4          bit-string                    length in bits, then the bits, most significant first
//	5          double-long                   int32
//	6          double-long-unsigned          uint32
//	9          octet-string                  length, bytes
//	10         visible-string                length, bytes
//	12         utf8-string                   length, bytes
//	13         bcd                           1 byte
//	15         integer                       int8
//	16         long                          int16
//	17         unsigned                      uint8
//	18         long-unsigned                 uint16
//	19         compact-array                 type description, length, packed contents
//	20         long64                        int64
//	21         long64-unsigned               uint64
//	22         enum                          uint8
//	23         float32                       IEEE 754 single
//	24         float64                       IEEE 754 double
//	25         date-time                     12 bytes, see DateTime
//	26         date                          5 bytes
//	27         time                          4 bytes
//	28 29 30   delta-integer, -long, -double-long              int8, int16, int32
//	31 32 33   delta-unsigned, -long-unsigned, -double-long-unsigned   uint8, uint16, uint32
//	255        don't-care                    nothing
//
// All numbers are big endian. A length below 80 (hex) is one byte; otherwise
// 81, 82, 83 or 84 says how many bytes of length follow.
//
// There are three ways in, by what they cost:
//
//   - the Append functions and [Reader] write and read one element at a time
//     and never allocate;
//   - [Skip] measures one encoded Data so that it can be carried raw;
//   - [Parse] builds a [Value] tree, for tools and for code that does not know
//     the shape it will meet. It is bounded by [Limits], so hostile input
//     costs bounded memory.
package axdr
