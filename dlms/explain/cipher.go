package explain

import (
	"errors"
	"fmt"

	"smets1/dlms/apdu"
	"smets1/dlms/security"
)

const (
	scCounter = 4
	noKeySize = 16
)

// ciphered explains the ciphered APDUs after their tag.
func (w *walker) ciphered(tag apdu.Tag) {
	switch tag {
	case apdu.TagGeneralGlo, apdu.TagGeneralDed:
		title := w.title("system title of the sender")
		n := w.length("length of the ciphered content", "bytes")
		w.part(n, "the ciphered content", func() { w.content(tag == apdu.TagGeneralDed, title, nil) })
	case apdu.TagGeneralCiphering:
		w.generalCiphering()
	case apdu.TagGeneralSigning:
		w.generalHeader()
		n := w.length("length of the content", "bytes")
		w.part(n, "the content", w.apdu)
		w.clause = clauseCipher
		w.octets("signature")
		w.say("not checked")
	default:
		n := w.length("length of the ciphered content", "bytes")
		w.part(n, "the ciphered content", func() { w.content(tag.IsDed(), w.x.sender(tag), nil) })
	}
}

// title explains a system title with its length; nil if it is not there or not one.
func (w *walker) title(name string) []security.SystemTitle {
	b := w.octets(name)
	t, err := security.TitleFrom(b)
	if err != nil {
		return nil
	}
	w.say("%s", titleText(t))
	return []security.SystemTitle{t}
}

func titleText(t security.SystemTitle) string {
	if flag := t.FLAG(); flag != "" {
		return fmt.Sprintf("%s, manufacturer %s", t, flag)
	}
	return t.String()
}

// sender is who may have sent an APDU: the title that its tag means first.
func (x *Explainer) sender(tag apdu.Tag) []security.SystemTitle {
	first, second := x.client, x.server
	plain, _ := tag.Plain()
	switch plain {
	case apdu.TagInitiateResponse, apdu.TagReadResponse, apdu.TagWriteResponse, apdu.TagConfirmedServiceError, apdu.TagInformationReport,
		apdu.TagGetResponse, apdu.TagSetResponse, apdu.TagActionResponse, apdu.TagEventNotification:
		first, second = second, first
	default:
	}
	return known(first, second)
}

func known(titles ...security.SystemTitle) []security.SystemTitle {
	var out []security.SystemTitle
	for _, t := range titles {
		if !t.IsZero() {
			out = append(out, t)
		}
	}
	return out
}

// content explains security control, counter, payload and tag, and deciphers
// if there are keys. titles are who may have sent it.
func (w *walker) content(dedicated bool, titles []security.SystemTitle, header *apdu.GeneralCiphering) {
	w.clause = clauseCipher
	raw := w.rest()
	sc := security.Control(w.u8("security control"))
	w.say("%s, suite %d", sc, uint8(sc.Suite()))
	w.u32("invocation counter")
	if w.failed {
		return
	}
	tag := min(sc.TagLen(), len(w.rest()))
	payload := len(w.rest()) - tag
	if sc.Protection()&security.ProtectEnc == 0 {
		// In the clear, with a tag behind it.
		w.part(payload, "the protected APDU", w.apdu)
		w.clause = clauseCipher
	} else {
		w.take(payload, "ciphertext")
	}
	if tag > 0 {
		w.take(tag, "authentication tag")
	}
	if tag < sc.TagLen() {
		w.fail("the authentication tag has %d of %d bytes", tag, sc.TagLen())
		return
	}
	if len(titles) == 0 && header == nil {
		titles = known(w.x.client, w.x.server)
	}
	plain, how, err := w.x.open(dedicated, titles, raw, header)
	switch {
	case errors.Is(err, errNotAsked):
	case err != nil:
		if !errors.Is(err, ErrTitle) {
			err = fmt.Errorf("not deciphered: %w", err)
		}
		w.note(w.off-len(raw), "%v", err)
		w.out.Problems[len(w.out.Problems)-1].Err = err
	case sc.Protection()&security.ProtectEnc == 0:
		w.say("right, by the %s", how)
	default:
		if tag > 0 && !w.x.opt.Keys.GAK.IsZero() {
			w.say("right")
		}
		w.derive("deciphered under the "+how, plain, (*walker).apdu)
	}
}

// errNotAsked: there are no keys, so that nobody expects deciphering.
var errNotAsked = errors.New("no keys")

// open deciphers content under the keys there are, as the first title that fits.
func (x *Explainer) open(dedicated bool, titles []security.SystemTitle, raw []byte, header *apdu.GeneralCiphering) (plain []byte, how string, err error) {
	key, name := x.opt.Keys.GUEK, "GUEK"
	content, err := security.ParseContent(raw)
	if err != nil {
		return nil, "", err
	}
	switch {
	case dedicated:
		key, name = x.dedicated, "dedicated key"
	case content.Control&security.Broadcast != 0:
		key, name = x.opt.Keys.GBEK, "GBEK"
	}
	if x.opt.Keys.GUEK.IsZero() && x.opt.Keys.GAK.IsZero() && key.IsZero() {
		return nil, "", errNotAsked
	}
	if header != nil {
		return x.openGeneral(*header)
	}
	if key.IsZero() {
		return nil, "", fmt.Errorf("the %s is not known", name)
	}
	if len(titles) == 0 {
		return nil, "", ErrTitle
	}
	suite := content.Control.Suite()
	ak := x.opt.Keys.GAK
	if ak.IsZero() {
		if content.Control.Protection()&security.ProtectEnc == 0 {
			return nil, "", errors.New("the GAK is not known")
		}
		// Without the GAK the text can be had and not be checked: as if it were encrypted only.
		if ak, err = security.NewKey(make([]byte, max(noKeySize, suite.KeySize()))); err != nil {
			return nil, "", err
		}
		if content.Control.Protection() == security.ProtectBoth {
			unchecked := append([]byte{}, raw[:len(raw)-security.TagSize]...)
			unchecked[0] &^= byte(security.Authenticated)
			raw = unchecked
			name += ", not checked because the GAK is not known"
		}
	}
	c, err := security.NewCipher(suite, key, ak)
	if err != nil {
		return nil, "", err
	}
	if content.Control&security.Broadcast != 0 {
		if err := c.SetBroadcastKey(key); err != nil {
			return nil, "", err
		}
	}
	for _, t := range titles {
		_, out, openErr := c.Open(nil, t, raw)
		if openErr == nil {
			return out, name, nil
		}
		if err == nil {
			err = openErr
		}
	}
	return nil, "", err
}

// openGeneral deciphers general-ciphering under a key that it names or brings wrapped.
func (x *Explainer) openGeneral(p apdu.GeneralCiphering) ([]byte, string, error) {
	content, err := security.ParseContent(p.Content)
	if err != nil {
		return nil, "", err
	}
	originator, err := security.TitleFrom(p.Originator)
	if err != nil {
		return nil, "", err
	}
	recipient, _ := security.TitleFrom(p.Recipient)
	if p.KeyInfo.Kind == apdu.KeyInfoAgreed {
		return nil, "", errors.New("its key comes from key agreement, for which private keys are needed")
	}
	g := security.General{Suite: content.Control.Suite(), Own: recipient, Peer: originator, Keys: x.opt.Keys}
	_, plain, err := g.Open(p)
	name := "GUEK"
	if p.KeyInfo.Kind == apdu.KeyInfoWrapped {
		name = "key that came wrapped"
	}
	return plain, name, err
}

func (w *walker) generalHeader() {
	w.octets("transaction id")
	w.title("system title of the originator")
	w.title("system title of the recipient")
	w.dateTime()
	w.octets("other information")
}

func (w *walker) generalCiphering() {
	start := w.off - 1
	w.generalHeader()
	if w.present("key information") {
		w.inside(func() {
			switch c := w.u8("kind of key"); c {
			case 0:
				w.say("identified")
				id := w.u8("key id")
				w.say("%d %s", id, [...]string{"global unicast", "global broadcast"}[min(id, 1)])
			case 1:
				w.say("wrapped")
				w.u8("key encrypting key")
				w.octets("wrapped key")
			case 2:
				w.say("agreed")
				w.octets("key agreement parameters")
				w.octets("ciphered key")
			default:
				w.choice(c, "00 identified, 01 wrapped or 02 agreed key")
			}
		})
	}
	n := w.length("length of the ciphered content", "bytes")
	var header *apdu.GeneralCiphering
	if p, _, err := apdu.ParseGeneralCiphering(w.b[start:w.end]); err == nil && !w.failed {
		header = &p
	}
	w.part(n, "the ciphered content", func() { w.content(false, nil, header) })
}
