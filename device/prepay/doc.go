// Package prepay is the account of a meter and the codes that top it up: pure
// arithmetic over integers of millipence, without a meter, a clock or a wire.
//
// # The account
//
// An [Account] is charged with what was used ([Account.Use]), with the day
// ([Account.Midnight]) and with debt that is recovered by time ([Account.Hour]), and
// is credited by top-ups ([Account.TopUp]). The rules are those of a SMETS1 meter as
// practitioners know them (recalled; names published in the DUIS schema):
//
//	use              from the balance above the disablement threshold, then from
//	                 emergency credit if it was activated, else the balance goes on down
//	standing charge  from the balance above the threshold, else it accumulates as debt
//	debt by time     two of them, each at a rate an hour or a day, alike; may be
//	                 suspended while emergency credit is in use or the supply is off
//	top-up           repays emergency credit, then accumulated debt, then a share of
//	                 the rest goes to the debt by payment up to a cap a week; what is
//	                 left is the balance's
//
// Nothing is lost on the way, to the millipence. At any time
//
//	credit = used + standing + recovered + balance - accumulated - emergency used
//
// where each word is one of [Totals] or of the account.
//
// # The codes
//
// A [Token] is written as 20, 40 or 60 decimal digits, bound to one meter and good
// once: see [Code]. The form is ours; that real codes have these lengths, are bound
// and are single use is published (Liberty 100 manual, pages 89 to 109).
//
// The package may change.
package prepay
