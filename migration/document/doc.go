// Package document holds the files of a SMETS1 migration: it reads them, checks them,
// says in plain words what is wrong with them, and writes them.
//
// What lives here:
//
//   - file names (name.go): MA_, MAPASSWORD_, MAR_, DC_, DR_, DMFW_, DMMS_ and the file set;
//   - tables (table.go, layout.go): CSV documents whose columns are data, in specs/;
//   - codes (catalogue.go): every code, its sentence, its remedy and its retry rule, in specs/;
//   - the Migration Authorisation and its password companion (authorisation.go, password.go);
//   - the eligible product combinations list, the portfolio, registrations and
//     certificates (epcl.go, portfolio.go, registrations.go, certificates.go);
//   - the dormant meter notices (dmfw.go, dmms.go) and the authorisation response (mar.go);
//   - the file set as signed XML (fileset.go and one file per type: mcf.go, mgf.go …);
//   - the data checks, steps 1 to 17 (checks.go).
//
// # Evidence
//
// The published texts (SEC Appendix AL and its child documents) could not be had. File names
// follow the samples that DCC published; the codes MA110 and GT01 are published; the column
// layouts, the XML and every code that starts with X are ours. Each data file under specs/ says
// which it is, and a published layout replaces ours by being put in a folder (see [OpenSpecs]).
//
// # Problems
//
// No reader here stops at the first fault of a row: it returns what is good together with
// [Problems], each with file, row, column, code, what and remedy. A problem that concerns the
// whole file makes [Problems.FileFailed] true, and then nothing of the file is returned.
// Readers change nothing: applying a document is the caller's step.
package document
