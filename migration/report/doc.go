// Package report writes what a migration run has to show: the outcome of each home, the
// reports of the Migration Reporting Regime, and the audit trail.
//
// That a reporting regime exists is published (TMAD clause 4.45(b)); its list of reports was not
// found, so identifiers R01 to R10, columns and definitions are ours. Every report is a
// [Table] and comes as CSV and as JSON with AsAt, GeneratedBy and Checksum, the SHA-256 of the
// CSV lines from the header row on, which [VerifyCSV] compares.
//
// A report is one entry of the list in reports.go: an identifier, a title, an audience and a
// function from [Data] to rows. Further reports are added there and nowhere else.
//
// The audit trail (audit.go) is one JSON object per line. Each line carries the SHA-256 of the
// line before it, so that no line can be changed, taken out or put in without [VerifyTrail]
// naming the place.
package report
