package explain

import (
	"bytes"
	"fmt"
	"strings"

	"smets1/dlms/acse"
	"smets1/dlms/apdu"
	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// apdu explains one APDU that fills the part, with what may stand before it.
func (w *walker) apdu() {
	if b := w.rest(); bytes.HasPrefix(b, llcRequest) || bytes.HasPrefix(b, llcResponse) {
		w.clause = clauseLLC
		w.take(3, "LLC")
		w.say("%s", llcText(b))
		w.apdu()
		return
	}
	c, ok := w.peek()
	if !ok {
		w.take(1, "APDU")
		return
	}
	tag := apdu.Tag(c)
	switch {
	case acse.Is(w.rest()):
		w.acse()
		return
	case !tag.Valid():
		w.fail("%02X is not the tag of an APDU", c)
		return
	}
	w.clause = clauseOf(tag)
	switch tag {
	case apdu.TagGatewayRequest, apdu.TagGatewayResponse:
		w.gateway(tag)
	case apdu.TagGetRequest, apdu.TagSetRequest, apdu.TagActionRequest, apdu.TagGetResponse, apdu.TagSetResponse, apdu.TagActionResponse:
		w.form(tag)
	default:
		w.take(1, "APDU")
		w.say("%s", tag)
		w.inside(func() { w.single(tag) })
	}
}

// single explains the APDUs that have one form, after their tag.
func (w *walker) single(tag apdu.Tag) {
	switch tag {
	case apdu.TagInitiateRequest:
		w.initiateRequest()
	case apdu.TagInitiateResponse:
		w.initiateResponse()
	case apdu.TagConfirmedServiceError:
		w.serviceError()
	case apdu.TagException:
		w.exception()
	case apdu.TagDataNotification:
		w.longInvoke()
		w.dateTime()
		w.data("notification body")
	case apdu.TagEventNotification:
		if w.present("time") {
			if c, ok := w.peek(); ok && c == 0 {
				w.note(w.off, "a time that is present has 12 bytes")
			}
			w.dateTime()
		}
		w.attribute()
		w.data("value")
	case apdu.TagAccessRequest:
		w.accessRequest()
	case apdu.TagAccessResponse:
		w.accessResponse()
	case apdu.TagGeneralBlockTransfer:
		w.generalBlock()
	case apdu.TagReadRequest, apdu.TagReadResponse, apdu.TagWriteRequest, apdu.TagWriteResponse, apdu.TagUnconfirmedWrite, apdu.TagInformationReport:
		w.shortNames(tag)
	default:
		w.ciphered(tag)
	}
}

func (w *walker) gateway(tag apdu.Tag) {
	w.take(1, "gateway prefix")
	w.say("%s", tag)
	w.inside(func() {
		w.u8("network id")
		n := int(w.u8("address length"))
		w.say("%d bytes", n)
		address := w.take(n, "physical device address")
		if len(address) == 8 {
			w.say("EUI-64 %s", dashed(address))
		} else {
			w.say("%s", hexBytes(address))
		}
	})
	w.apdu()
}

func dashed(b []byte) string {
	parts := make([]string, len(b))
	for i, c := range b {
		parts[i] = fmt.Sprintf("%02X", c)
	}
	return strings.Join(parts, "-")
}

// form explains GET, SET and ACTION.
func (w *walker) form(tag apdu.Tag) {
	kind, ok := apdu.KindOf(w.rest())
	if !ok {
		w.take(1, "APDU")
		w.say("%s", tag)
		if c, more := w.peek(); more {
			w.fail("%02X is not a form of %s", c, tag)
		} else {
			w.take(1, "the form of "+tag.String())
		}
		return
	}
	w.take(2, "APDU")
	w.say("%s", kind)
	w.inside(func() {
		w.invoke()
		switch tag {
		case apdu.TagGetRequest:
			w.getRequest(kind)
		case apdu.TagGetResponse:
			w.getResponse(kind)
		case apdu.TagSetRequest:
			w.setRequest(kind)
		case apdu.TagSetResponse:
			w.setResponse(kind)
		case apdu.TagActionRequest:
			w.actionRequest(kind)
		default:
			w.actionResponse(kind)
		}
	})
}

func (w *walker) invoke() {
	id := apdu.InvokeID(w.u8("invoke-id-and-priority"))
	service, priority := "unconfirmed", "normal priority"
	if id.Confirmed() {
		service = "confirmed"
	}
	if id.High() {
		priority = "high priority"
	}
	w.say("request %d, %s, %s", id.ID(), service, priority)
}

func (w *walker) longInvoke() {
	id := apdu.LongInvokeID(w.u32("long-invoke-id-and-priority"))
	parts := []string{fmt.Sprintf("request %d", id.ID())}
	for _, bit := range []struct {
		bit  apdu.LongInvokeID
		name string
	}{
		{apdu.LongInvokeSelfDescriptive, "self-descriptive"}, {apdu.LongInvokeBreakOnError, "stop at the first error"},
		{apdu.LongInvokeConfirmed, "confirmed"}, {apdu.LongInvokeHigh, "high priority"},
	} {
		if id.Has(bit.bit) {
			parts = append(parts, bit.name)
		}
	}
	w.say("%s", strings.Join(parts, ", "))
}

// dateTime explains a date-time that has its length before it, 0 for none.
func (w *walker) dateTime() {
	n := w.length("length of date-time", "bytes")
	if n != 0 && n != 12 && !w.failed {
		w.fail("a date-time of %d bytes: want 12, or 0 for none", n)
		return
	}
	if b := w.take(n, "date-time"); b != nil {
		d, _ := axdr.ParseDateTime(b)
		w.say("%s", d)
	}
}

// attribute explains an attribute descriptor.
func (w *walker) attribute() cosem.Attribute {
	class, name := w.object()
	id := int8(w.u8("attribute"))
	a := cosem.Attribute{Class: class, Instance: name, ID: id}
	switch info, known := cosem.LookupClass(class, 0xFF); {
	case id == 0:
		w.say("0, all attributes")
	case id == 1:
		w.say("1 logical_name")
	case known:
		if at, ok := info.Attribute(id); ok {
			w.say("%d %s", id, at.Name)
			break
		}
		fallthrough
	default:
		w.say("%d", id)
	}
	return a
}

func (w *walker) method() {
	class, _ := w.object()
	id := int8(w.u8("method"))
	if info, ok := cosem.LookupClass(class, 0xFF); ok {
		if m, ok := info.Method(id); ok {
			w.say("%d %s", id, m.Name)
			return
		}
	}
	w.say("%d", id)
}

func (w *walker) object() (cosem.ClassID, cosem.OBIS) {
	class := cosem.ClassID(w.u16("class"))
	w.say("%s", class)
	var name cosem.OBIS
	if b := w.take(6, "logical name"); b != nil {
		name = cosem.OBIS(b)
		w.say("%s", name)
	}
	return class, name
}

func (w *walker) selection(a cosem.Attribute) {
	if !w.present("selective access") {
		return
	}
	w.inside(func() { w.selector(a) })
}

func (w *walker) selector(a cosem.Attribute) {
	s := w.u8("selector")
	switch {
	case a.Class == cosem.ClassProfileGeneric && s == 1:
		w.say("1, by range")
	case a.Class == cosem.ClassProfileGeneric && s == 2:
		w.say("2, by entry")
	case a.Class == cosem.ClassAssociationLN && s >= 1 && s <= 4:
		w.say("%d, %s", s, [...]string{"all", "by class", "by list of objects", "one object"}[s-1])
	}
	w.data("parameter")
}

func (w *walker) result() { _ = w.dataResult() }

func (w *walker) dataResult() cosem.Result {
	r := cosem.Result(w.u8("data-access-result"))
	w.say("%d %s: %s", uint8(r), r.Name(), r.Sentence())
	return r
}

func (w *walker) actionResult() {
	r := cosem.ActionResult(w.u8("action-result"))
	w.say("%d %s: %s", uint8(r), r.Name(), r.Sentence())
}

// getResult explains a Get-Data-Result.
func (w *walker) getResult(name string) {
	switch c := w.u8(name); {
	case w.failed:
	case c == 0:
		w.say("data")
		w.data("value")
	case c == 1:
		w.say("no data")
		w.result()
	default:
		w.choice(c, "00 data or 01 data-access-result")
	}
}

// count takes the number of elements of a list, each of min bytes at least.
func (w *walker) count(name string, min int) int {
	n := w.length("number of "+name, name)
	if left := len(w.rest()); !w.failed && n > left/min {
		w.fail("%d %s, and %d bytes are left: each takes %d at least", n, name, left, min)
		return 0
	}
	return n
}

// each explains n elements of a list.
func (w *walker) each(n int, f func(i int)) {
	w.inside(func() {
		for i := 0; i < n && !w.failed; i++ {
			f(i)
		}
	})
}

// dataList explains a list of values, of which there must be want; -1 for any number.
func (w *walker) dataList(name string, want int) int {
	start := w.off
	n := w.count(name, 1)
	if want >= 0 && n != want {
		w.note(start, "%d %s for %d of what they belong to", n, name, want)
	}
	w.each(n, func(i int) { w.data(fmt.Sprintf("%s %d", strings.TrimSuffix(name, "s"), i+1)) })
	return n
}

func (w *walker) attributes() int {
	n := w.count("attributes", cosem.DescriptorSize+1)
	w.each(n, func(int) { w.selection(w.attribute()) })
	return n
}

func (w *walker) methods() int {
	n := w.count("methods", cosem.DescriptorSize)
	w.each(n, func(int) { w.method() })
	return n
}

func (w *walker) getRequest(kind apdu.Kind) {
	switch kind {
	case apdu.KindGetRequestNormal:
		w.x.list = false
		w.selection(w.attribute())
	case apdu.KindGetRequestNext:
		w.u32("block number")
		w.say("%d received, the next one please", u32OfLast(w))
	default:
		w.x.list = true
		w.attributes()
	}
}

// u32OfLast is the number in the last field.
func u32OfLast(w *walker) uint32 {
	if w.last < 0 || len(w.out.Fields[w.last].Bytes) != 4 {
		return 0
	}
	return u32(w.out.Fields[w.last].Bytes)
}

func (w *walker) getResponse(kind apdu.Kind) {
	switch kind {
	case apdu.KindGetResponseNormal:
		w.getResult("result")
	case apdu.KindGetResponseBlock:
		last := w.lastBlock()
		number := w.u32("block number")
		switch c := w.u8("result"); {
		case w.failed:
		case c == 0:
			w.say("raw data")
			w.block(apdu.TagGetResponse, number, last, w.octets("raw data"), func(in *walker) {
				in.clause = clauseOf(apdu.TagGetResponse)
				if w.x.list {
					in.each(in.count("results", 2), func(i int) { in.getResult(fmt.Sprintf("result %d", i+1)) })
					return
				}
				in.data("value")
			})
		case c == 1:
			w.say("no data")
			at := w.off
			if w.dataResult() == cosem.Success {
				w.note(at, "success, and no data")
			}
		default:
			w.choice(c, "00 raw data or 01 data-access-result")
		}
	default:
		w.each(w.count("results", 2), func(i int) { w.getResult(fmt.Sprintf("result %d", i+1)) })
	}
}

func (w *walker) lastBlock() bool {
	last := w.u8("last block") != 0
	if last {
		w.say("this is the last")
	} else {
		w.say("more follow")
	}
	return last
}

// block keeps a block of a transfer, and explains the whole after the last one.
func (w *walker) block(tag apdu.Tag, number uint32, last bool, raw []byte, f func(*walker)) {
	if w.failed {
		return
	}
	t := w.x.blocks[tag]
	if number == 1 || t == nil {
		t = &blocks{next: number}
		w.x.blocks[tag] = t
	}
	if number != t.next || t.next > 1 && t.raw == nil || len(t.raw)+len(raw) > maxKept {
		// Blocks are missing: the whole cannot be put together.
		delete(w.x.blocks, tag)
		return
	}
	t.next++
	t.raw = append(t.raw, raw...)
	if !last {
		return
	}
	delete(w.x.blocks, tag)
	w.derive(fmt.Sprintf("put together from %d blocks", number), t.raw, f)
}

func (w *walker) dataBlock(tag apdu.Tag, f func(*walker)) {
	last := w.lastBlock()
	number := w.u32("block number")
	raw := w.octets("raw data")
	w.block(tag, number, last, raw, f)
}

func (w *walker) setRequest(kind apdu.Kind) {
	whole := func(in *walker) {
		in.clause = clauseOf(apdu.TagSetRequest)
		in.data("value")
	}
	switch kind {
	case apdu.KindSetRequestNormal:
		a := w.attribute()
		w.selection(a)
		// The secret of an association goes over the wire like any value.
		w.secret = a.Class == cosem.ClassAssociationLN && a.ID == 7
		w.data("value")
		w.secret = false
	case apdu.KindSetRequestFirstBlock:
		w.selection(w.attribute())
		w.dataBlock(apdu.TagSetRequest, whole)
	case apdu.KindSetRequestBlock:
		w.dataBlock(apdu.TagSetRequest, whole)
	case apdu.KindSetRequestList:
		w.dataList("values", w.attributes())
	default:
		w.attributes()
		w.dataBlock(apdu.TagSetRequest, func(in *walker) { in.dataList("values", -1) })
	}
}

func (w *walker) setResponse(kind apdu.Kind) {
	switch kind {
	case apdu.KindSetResponseNormal:
		w.result()
	case apdu.KindSetResponseBlock:
		w.u32("block number")
	case apdu.KindSetResponseLastBlock:
		w.result()
		w.u32("block number")
	default:
		w.each(w.count("results", 1), func(int) { w.result() })
		if kind == apdu.KindSetResponseLastBlockList {
			w.u32("block number")
		}
	}
}

func (w *walker) actionRequest(kind apdu.Kind) {
	raw := func(in *walker) {
		in.clause = clauseOf(apdu.TagActionRequest)
		in.data("parameter")
	}
	if kind != apdu.KindActionRequestNextBlock && kind != apdu.KindActionRequestBlock {
		w.x.calls = kind == apdu.KindActionRequestList || kind == apdu.KindActionRequestListFirstBlock
	}
	switch kind {
	case apdu.KindActionRequestNormal:
		w.method()
		if w.present("parameter") {
			w.data("parameter")
		}
	case apdu.KindActionRequestNextBlock:
		w.u32("block number")
	case apdu.KindActionRequestList:
		w.dataList("parameters", w.methods())
	case apdu.KindActionRequestFirstBlock:
		w.method()
		w.dataBlock(apdu.TagActionRequest, raw)
	case apdu.KindActionRequestListFirstBlock:
		w.methods()
		w.dataBlock(apdu.TagActionRequest, func(in *walker) { in.dataList("parameters", -1) })
	default:
		w.dataBlock(apdu.TagActionRequest, raw)
	}
}

func (w *walker) actionResponse(kind apdu.Kind) {
	one := func(w *walker) {
		w.actionResult()
		if w.present("return value") {
			w.getResult("return value")
		}
	}
	switch kind {
	case apdu.KindActionResponseNormal:
		one(w)
	case apdu.KindActionResponseBlock:
		// Of one call the value that it returned is cut into blocks, of a list the responses with their count.
		w.dataBlock(apdu.TagActionResponse, func(in *walker) {
			in.clause = clauseOf(apdu.TagActionResponse)
			if w.x.calls {
				in.each(in.count("results", 2), func(int) { one(in) })
				return
			}
			in.data("return value")
		})
	case apdu.KindActionResponseList:
		w.each(w.count("results", 2), func(int) { one(w) })
	default:
		w.u32("block number")
		w.say("%d received, the next one please", u32OfLast(w))
	}
}

func (w *walker) exception() {
	state := apdu.StateError(w.u8("state error"))
	w.say("%d %s", uint8(state), state)
	service := apdu.ServiceError(w.u8("service error"))
	w.say("%d %s: %s", uint8(service), service, service.Sentence())
	if service == apdu.ServiceInvocationCounterError && len(w.rest()) > 0 {
		w.u32("expected invocation counter")
	}
}

func (w *walker) serviceError() {
	p := apdu.ConfirmedServiceError{Service: apdu.ConfirmedService(w.u8("service"))}
	w.say("%d %s", uint8(p.Service), p.Service)
	p.Class = apdu.ErrorClass(w.u8("error class"))
	w.say("%d %s", uint8(p.Class), p.Class)
	p.Value = w.u8("error value")
	w.say("%d %s", p.Value, p.Reason())
}

func (w *walker) generalBlock() {
	control := w.u8("block control")
	last, streaming, window := control&0x80 != 0, control&0x40 != 0, control&0x3F
	parts := []string{"more follow"}
	if last {
		parts[0] = "the last block"
	}
	if streaming {
		parts = append(parts, "streaming")
	}
	w.say("%s", strings.Join(append(parts, fmt.Sprintf("window %d", window)), ", "))
	number := w.u16("block number")
	w.u16("block number acknowledged")
	raw := w.octets("raw data")
	if len(raw) == 0 {
		return // an acknowledgement
	}
	w.block(apdu.TagGeneralBlockTransfer, uint32(number), last, raw, (*walker).apdu)
}

// accessSpecs explains the parts of an access request and returns their kinds.
func (w *walker) accessSpecs() int {
	n := w.count("parts", 1+cosem.DescriptorSize)
	w.each(n, func(int) {
		kind := apdu.AccessKind(w.u8("part"))
		if w.failed {
			return
		}
		switch kind {
		case apdu.AccessGet, apdu.AccessSet:
			w.say("%s", [...]string{1: "get", 2: "set"}[kind])
			w.attribute()
		case apdu.AccessAction:
			w.say("action")
			w.method()
		case apdu.AccessGetWithSelected, apdu.AccessSetWithSelected:
			w.say("%s", [...]string{4: "get with selection", 5: "set with selection"}[kind])
			w.selector(w.attribute())
		default:
			w.choice(uint8(kind), "01 get, 02 set, 03 action, 04 or 05 with selection")
		}
	})
	return n
}

func (w *walker) accessRequest() {
	w.longInvoke()
	w.dateTime()
	w.dataList("values", w.accessSpecs())
}

func (w *walker) accessResponse() {
	w.longInvoke()
	w.dateTime()
	want := -1
	if w.present("the request's parts") {
		want = w.accessSpecs()
	}
	values := w.dataList("values", want)
	start := w.off
	n := w.count("results", 2)
	if n != values {
		w.note(start, "%d results for %d values", n, values)
	}
	w.each(n, func(int) {
		switch kind := apdu.AccessKind(w.u8("result of")); kind {
		case apdu.AccessGet, apdu.AccessSet:
			w.say("%s", [...]string{1: "get", 2: "set"}[kind])
			w.result()
		case apdu.AccessAction:
			w.say("action")
			w.actionResult()
		default:
			w.choice(uint8(kind), "01 get, 02 set or 03 action")
		}
	})
}

// shortNames explains the services with short names.
func (w *walker) shortNames(tag apdu.Tag) {
	switch tag {
	case apdu.TagReadRequest:
		w.variables()
	case apdu.TagWriteRequest, apdu.TagUnconfirmedWrite:
		w.dataList("values", w.variables())
	case apdu.TagInformationReport:
		if w.present("time") {
			w.octets("time")
		}
		w.dataList("values", w.variables())
	case apdu.TagReadResponse:
		w.each(w.count("results", 1), func(int) { w.readResult() })
	default:
		w.each(w.count("results", 1), func(int) {
			switch c := w.u8("result"); c {
			case 0:
				w.say("success")
			case 1:
				w.say("failed")
				w.result()
			case 2:
				w.say("block received")
				w.u16("block number")
			default:
				w.choice(c, "00 success, 01 data-access-result or 02 block number")
			}
		})
	}
}

func (w *walker) variables() int {
	n := w.count("variables", 3)
	w.each(n, func(int) { w.variable() })
	return n
}

func (w *walker) variable() {
	kind := apdu.VariableKind(w.u8("variable"))
	switch kind {
	case apdu.VariableName:
		w.say("by name")
		w.u16("short name")
		w.say("%04X", lastU16(w))
	case apdu.VariableParameterized:
		w.say("by name with selection")
		w.u16("short name")
		w.say("%04X", lastU16(w))
		w.u8("selector")
		w.data("parameter")
	case apdu.VariableBlockNumber:
		w.say("next block")
		w.u16("block number")
	case apdu.VariableReadBlock:
		w.say("block of a read")
		w.lastBlock()
		w.u16("block number")
		w.octets("raw data")
	case apdu.VariableWriteBlock:
		w.say("block of a write")
		w.lastBlock()
		w.u16("block number")
	default:
		w.choice(uint8(kind), "the way a variable is named, 02 or 04 to 07,")
	}
}

func lastU16(w *walker) uint16 {
	if w.failed || w.last < 0 || len(w.out.Fields[w.last].Bytes) != 2 {
		return 0
	}
	b := w.out.Fields[w.last].Bytes
	return uint16(b[0])<<8 | uint16(b[1])
}

func (w *walker) readResult() {
	switch c := w.u8("result"); c {
	case 0:
		w.say("data")
		w.data("value")
	case 1:
		w.say("no data")
		w.result()
	case 2:
		w.say("block")
		w.lastBlock()
		w.u16("block number")
		w.octets("raw data")
	case 3:
		w.say("block number")
		w.u16("block number")
	default:
		w.choice(c, "00 data, 01 data-access-result, 02 block or 03 block number")
	}
}

// choice fails for a byte just taken that picks none of the forms there are.
func (w *walker) choice(c uint8, want string) {
	if w.failed {
		return
	}
	w.off--
	w.drop(1)
	w.fail("%02X where %s is wanted", c, want)
}
