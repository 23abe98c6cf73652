package document

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"reflect"
	"strings"
)

// SignatureSchemaFile is the name under which the schemas import that of the signature.
const SignatureSchemaFile = "signature.xsd"

// bodies are the body types, by kind.
var bodies = map[Kind]reflect.Type{
	KindMCF:  reflect.TypeFor[File[CommonBody]](),
	KindMGF:  reflect.TypeFor[File[GroupBody]](),
	KindMGEF: reflect.TypeFor[File[EncryptedBody]](),
	KindMCVF: reflect.TypeFor[File[CommonValidationBody]](),
	KindMGVF: reflect.TypeFor[File[GroupValidationBody]](),
	KindSVF:  reflect.TypeFor[File[ViabilityBody]](),
	KindSCF:  reflect.TypeFor[File[CommissioningBody]](),
	KindCOF:  reflect.TypeFor[File[OutcomeBody]](),
}

// simpleTypes are the types that write themselves as text.
var simpleTypes = map[reflect.Type]struct{ name, base, facets string }{
	reflect.TypeFor[EUI]():       {"EUI", "xs:string", `<xs:pattern value="[0-9A-F]{2}(-[0-9A-F]{2}){7}"/>`},
	reflect.TypeFor[Date]():      {"Date", "xs:date", `<xs:pattern value="[0-9]{4}-[0-9]{2}-[0-9]{2}"/>`},
	reflect.TypeFor[Instant]():   {"Instant", "xs:dateTime", `<xs:pattern value="[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"/>`},
	reflect.TypeFor[Digest]():    {"Digest", "xs:string", `<xs:pattern value="[0-9A-F]{64}"/>`},
	reflect.TypeFor[FileSetID](): {"FileSetID", "xs:string", `<xs:pattern value="[A-Z]{2}-[0-9A-F]{16}-[0-9]{12}"/>`},
}

// XSD writes the schema of a type of file, made from the same rules that reading and writing hold files
// against. The shipped copies are in the folder xsd, together with signature.xsd, which they
// import.
func XSD(kind Kind) ([]byte, error) {
	t, ok := bodies[kind]
	if !ok {
		return nil, fmt.Errorf("%s is not a type of migration file", kind)
	}
	x := &xsdWriter{done: map[string]bool{}}
	fmt.Fprintf(&x.b, `<?xml version="1.0" encoding="UTF-8"?>
<!-- Schema of the %s (%s), version %s. Provenance: ours; the published
     "SMETS1 Migration Schema v1.0" could not be had. Made from the Go types: do not edit. -->
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="%s"
    xmlns:ds="http://www.w3.org/2000/09/xmldsig#" targetNamespace="%s" elementFormDefault="qualified" version="%s">
  <xs:import namespace="http://www.w3.org/2000/09/xmldsig#" schemaLocation="%s"/>
  <xs:element name="MigrationFile">
    <xs:complexType>
      <xs:sequence>
        <xs:element name="Header" type="Header"/>
        <xs:element name="Body" type="%s"/>
        <xs:element ref="ds:Signature"/>
      </xs:sequence>
      <xs:attribute name="schemaVersion" use="required" fixed="%s"/>
      <xs:attribute name="type" use="required" fixed="%s"/>
    </xs:complexType>
  </xs:element>
`, typeNames[kind], kind, SchemaVersion, Namespace, Namespace, SchemaVersion, SignatureSchemaFile, bodyType(t).Name(), SchemaVersion, typeNames[kind])
	x.complex(reflect.TypeFor[Header]())
	x.complex(bodyType(t))
	x.b.WriteString("</xs:schema>\n")
	return x.b.Bytes(), x.err
}

func bodyType(file reflect.Type) reflect.Type {
	f, _ := file.FieldByName("Body")
	return f.Type
}

type xsdWriter struct {
	b    bytes.Buffer
	done map[string]bool
	err  error
}

// complex writes the type of a struct, then those that it uses.
func (x *xsdWriter) complex(t reflect.Type) {
	if x.done[t.Name()] {
		return
	}
	x.done[t.Name()] = true
	var later []reflect.Type
	var text *xmlField
	var elements, attributes bytes.Buffer
	for _, f := range xmlFields(t) {
		ft := t.Field(f.index).Type
		from, to := 1, "1"
		switch {
		case ft.Kind() == reflect.Pointer:
			ft, from = ft.Elem(), 0
		case ft.Kind() == reflect.Slice && ft != reflect.TypeFor[Base64]():
			ft, from, to = ft.Elem(), f.rule.from, fmt.Sprint(f.rule.to)
		case f.omitempty:
			from = 0
		}
		if f.chardata {
			text = &f
			continue
		}
		name, inline := x.typeOf(ft, f)
		if inline == "" && ft.Kind() == reflect.Struct && !isText(ft) {
			later = append(later, ft)
		}
		open := fmt.Sprintf(`<xs:element name="%s"`, f.name)
		out, end, indent := &elements, "xs:element", "      "
		if f.attr {
			open, out, end, indent = fmt.Sprintf(`<xs:attribute name="%s" use="required"`, f.name), &attributes, "xs:attribute", "    "
		} else {
			if from != 1 {
				open += fmt.Sprintf(` minOccurs="%d"`, from)
			}
			if to != "1" {
				open += fmt.Sprintf(` maxOccurs="%s"`, to)
			}
		}
		if inline == "" {
			fmt.Fprintf(out, "%s%s type=\"%s\"/>\n", indent, open, name)
		} else {
			fmt.Fprintf(out, "%s%s>%s</%s>\n", indent, open, inline, end)
		}
	}
	if text != nil {
		base, inline := x.typeOf(t.Field(text.index).Type, *text)
		if inline != "" {
			base = t.Name() + "Text"
			fmt.Fprintf(&x.b, "  %s\n", strings.Replace(inline, "<xs:simpleType>", fmt.Sprintf(`<xs:simpleType name="%s">`, base), 1))
		}
		fmt.Fprintf(&x.b, "  <xs:complexType name=\"%s\">\n    <xs:simpleContent>\n      <xs:extension base=\"%s\">\n%s      </xs:extension>\n    </xs:simpleContent>\n  </xs:complexType>\n",
			t.Name(), base, strings.ReplaceAll(attributes.String(), "    <xs:attribute", "        <xs:attribute"))
		return
	}
	fmt.Fprintf(&x.b, "  <xs:complexType name=\"%s\">\n    <xs:sequence>\n%s    </xs:sequence>\n%s  </xs:complexType>\n", t.Name(), elements.String(), attributes.String())
	for _, l := range later {
		x.complex(l)
	}
}

// typeOf names the schema type of a field, or gives a type to be written in its place.
func (x *xsdWriter) typeOf(t reflect.Type, f xmlField) (name, inline string) {
	if s, ok := simpleTypes[t]; ok {
		if !x.done[s.name] {
			x.done[s.name] = true
			fmt.Fprintf(&x.b, "  <xs:simpleType name=\"%s\"><xs:restriction base=\"%s\">%s</xs:restriction></xs:simpleType>\n", s.name, s.base, s.facets)
		}
		return s.name, ""
	}
	restrict := func(base, facets string) string {
		return fmt.Sprintf(`<xs:simpleType><xs:restriction base="%s">%s</xs:restriction></xs:simpleType>`, base, facets)
	}
	if t == reflect.TypeFor[Base64]() {
		return "", restrict("xs:base64Binary", fmt.Sprintf(`<xs:minLength value="%d"/><xs:maxLength value="%d"/>`, f.rule.min, f.rule.max))
	}
	switch t.Kind() {
	case reflect.Bool:
		if f.omitempty {
			return "", restrict("xs:boolean", `<xs:pattern value="true"/>`)
		}
		return "xs:boolean", ""
	case reflect.Int:
		return "xs:int", ""
	case reflect.Int64:
		return "xs:long", ""
	case reflect.Uint32:
		return "xs:unsignedInt", ""
	case reflect.Uint64:
		return "xs:unsignedLong", ""
	case reflect.Struct:
		return t.Name(), ""
	case reflect.String:
		var facets strings.Builder
		if f.rule.text {
			fmt.Fprintf(&facets, `<xs:minLength value="%d"/><xs:maxLength value="%d"/><xs:pattern value="[^\r\n\t]*"/>`, f.rule.min, f.rule.max)
		}
		if f.rule.pattern != "" {
			fmt.Fprintf(&facets, `<xs:pattern value="%s"/>`, escape(f.rule.pattern))
		}
		for _, e := range f.rule.enum {
			fmt.Fprintf(&facets, `<xs:enumeration value="%s"/>`, escape(e))
		}
		return "", restrict("xs:string", facets.String())
	}
	x.err = fmt.Errorf("the schema has no type for %s %s", f.name, t)
	return "xs:string", ""
}

func escape(s string) string {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return ""
	}
	return b.String()
}
