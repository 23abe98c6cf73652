// Package explain turns bytes of DLMS/COSEM into words: HDLC frames, wrapper
// units, APDUs plain and ciphered, A-XDR data. It is for people who look at a
// capture, and for tools that show one.
//
// An Explainer is given messages in the order in which they passed. Each comes
// back as Fields that cover every byte of it exactly once, with offset, name,
// meaning and the clause of the document that says so. Content that is not
// bytes of the message itself — deciphered, or put together from segments and
// blocks — becomes a Layer of its own, whose fields have offsets in that layer.
//
// Bytes that are not as they should be are explained up to the one that is
// wrong; a Problem says where that is and why, and what follows it is a field
// named NotExplained.
//
// What the messages tell is remembered: system titles from AARQ and AARE, a
// dedicated key from a deciphered initiate request, segments and blocks that
// wait for their rest. Passwords and keys are in the bytes of some fields; those
// fields are marked Secret, and String and JSON leave them out unless asked.
//
// Clauses are those of IEC 62056-46 (HDLC), IEC 62056-47 (wrapper) and the DLMS
// Green Book (the rest). Their numbers were recalled, and may differ by edition.
package explain
