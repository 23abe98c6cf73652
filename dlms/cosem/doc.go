// Package cosem holds the names and numbers of the COSEM object model that
// every layer above shares: logical names, class identifiers, attribute and
// method descriptors, results, units, conformance bits, access rights, the
// table of interface classes and the selective access parameters.
//
// Wire format (IEC 62056-5-3, published):
//
//	logical name (OBIS)      6 bytes  A B C D E F
//	class identifier         2 bytes
//	attribute descriptor     class(2) logical name(6) attribute(1)
//	method descriptor        class(2) logical name(6) method(1)
//	data-access-result       1 byte
//	action-result            1 byte
//	conformance              3 bytes, bit 0 is the most significant
package cosem
