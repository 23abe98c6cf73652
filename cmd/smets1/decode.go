package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"smets1/dlms/client"
	"smets1/dlms/explain"
	"smets1/dlms/security"
)

// maxDecode bounds what is read: a person does not look at more.
const maxDecode = 16 << 20

type decodeOptions struct {
	form                    string
	profile                 string
	guek, gbek, gak         string
	dedicated               string
	serverTitle             string
	clientTitle             string
	lines, secrets, noClaus bool
	json                    bool
}

func newDecodeCommand() *cobra.Command {
	o := decodeOptions{}
	c := &cobra.Command{
		Use:   "decode [HEX... | FILE | -]",
		Short: "Explain bytes of DLMS/COSEM one by one",
		Long: `decode explains HDLC frames, wrapper units, APDUs and A-XDR data: each byte with
its offset, its meaning and the clause that says so. The bytes are hexadecimal,
with or without spaces, colons, 0x and # comments; a file may also have them as
they are. Without an argument, or with -, they come from standard input.

With keys, ciphered content is deciphered and checked. What was deciphered, or
put together from segments and blocks, follows under a letter of its own. The
system titles are taken from AARQ and AARE where those are among the bytes.

Bytes that are wrong are explained up to the one that is; the exit status is
then 1.`,
		Example: `  smets1 decode C001C100030100010800FF0200
  smets1 decode --guek-file guek.hex --gak-file gak.hex --client-title 4D4D4D0000BC614E \
      C81E3001234567411312FF935A47566827C467BC7D825C3BE4A77C3FCC056B6B
  smets1 decode --profile meter.yaml capture.hex
  xxd -p line.bin | smets1 decode --lines -`,
		RunE: func(c *cobra.Command, args []string) error { return o.run(c, args) },
	}
	f := c.Flags()
	f.StringVar(&o.form, "as", "auto", "what the bytes are: auto, hdlc, wrapper, apdu or data")
	f.StringVarP(&o.profile, "profile", "p", "", "client `FILE` with keys and titles, as for smets1 dlms")
	f.StringVar(&o.guek, "guek-file", "", "`FILE` with the GUEK in hexadecimal")
	f.StringVar(&o.gbek, "gbek-file", "", "`FILE` with the GBEK in hexadecimal")
	f.StringVar(&o.gak, "gak-file", "", "`FILE` with the GAK in hexadecimal; without it content is deciphered and not checked")
	f.StringVar(&o.dedicated, "dedicated-file", "", "`FILE` with the dedicated key, where no initiate request brings it")
	f.StringVar(&o.serverTitle, "system-title", "", "system title of the device, 16 hexadecimal digits")
	f.StringVar(&o.clientTitle, "client-title", "", "system title of the client")
	f.BoolVar(&o.lines, "lines", false, "each line is a message by itself")
	f.BoolVar(&o.secrets, "show-secrets", false, "show passwords and dedicated keys, which are covered otherwise")
	f.BoolVar(&o.noClaus, "no-clauses", false, "leave the clauses out")
	f.BoolVar(&o.json, "json", false, "JSON, one object for each message")
	return c
}

func (o *decodeOptions) run(c *cobra.Command, args []string) error {
	opt, err := o.options()
	if err != nil {
		return err
	}
	messages, err := o.input(c, args)
	if err != nil {
		return err
	}
	if len(messages) == 0 {
		return usageError{errors.New("there are no bytes to explain")}
	}
	x := explain.New(opt)
	var out bytes.Buffer
	style := explain.Style{Secrets: o.secrets, Clauses: !o.noClaus}
	var first error
	for i, b := range messages {
		e := x.Explain(b)
		if o.json {
			text, err := e.JSON(style)
			if err != nil {
				return err
			}
			var compact bytes.Buffer
			if err := json.Compact(&compact, text); err != nil {
				return err
			}
			fmt.Fprintln(&out, compact.String())
		} else {
			if len(messages) > 1 {
				if i > 0 {
					fmt.Fprintln(&out)
				}
				fmt.Fprintf(&out, "message %d, %d bytes, %s\n", i+1, len(b), e.Form)
			}
			if err := e.Write(&out, style); err != nil {
				return err
			}
		}
		if first == nil {
			first = e.Err()
		}
	}
	if _, err := out.WriteTo(c.OutOrStdout()); err != nil {
		return err
	}
	if first != nil {
		return dlmsError{remedy(first), exitRefused}
	}
	return nil
}

// remedy adds the flag that helps to what is not known.
func remedy(err error) error {
	if errors.Is(err, explain.ErrTitle) {
		return fmt.Errorf("%w: give --client-title or --system-title, or the AARQ and AARE before it", err)
	}
	return err
}

// options are the keys and titles of profile and flags.
func (o *decodeOptions) options() (explain.Options, error) {
	opt := explain.Options{}
	var err error
	if opt.Form, err = explain.ParseForm(o.form); err != nil {
		return opt, usageError{err}
	}
	if o.profile != "" {
		p, err := loadDLMSProfile(o.profile)
		if err != nil {
			return opt, err
		}
		var cfg client.Config
		if cfg, err = p.config(explicitSecrets{}); err != nil {
			return opt, err
		}
		opt.Keys, opt.ClientTitle, opt.ServerTitle = cfg.Keys, cfg.SystemTitle, cfg.ServerTitle
	}
	for _, k := range []struct {
		flag, path string
		to         *security.Key
	}{
		{"--guek-file", o.guek, &opt.Keys.GUEK}, {"--gbek-file", o.gbek, &opt.Keys.GBEK},
		{"--gak-file", o.gak, &opt.Keys.GAK}, {"--dedicated-file", o.dedicated, &opt.Dedicated},
	} {
		if k.path == "" {
			continue
		}
		b, err := os.ReadFile(k.path)
		if err == nil {
			*k.to, err = security.ParseKey(strings.TrimSpace(string(b)))
		}
		if err != nil {
			return opt, usageError{fmt.Errorf("%s: %w", k.flag, err)}
		}
	}
	for _, t := range []struct {
		flag, text string
		to         *security.SystemTitle
	}{{"--system-title", o.serverTitle, &opt.ServerTitle}, {"--client-title", o.clientTitle, &opt.ClientTitle}} {
		if t.text == "" {
			continue
		}
		if *t.to, err = security.ParseSystemTitle(t.text); err != nil {
			return opt, usageError{fmt.Errorf("%s: %w", t.flag, err)}
		}
	}
	return opt, nil
}

// input gives the messages of the arguments, of a file or of standard input.
func (o *decodeOptions) input(c *cobra.Command, args []string) ([][]byte, error) {
	var content []byte
	switch {
	case len(args) == 0 || len(args) == 1 && args[0] == "-":
		b, err := io.ReadAll(io.LimitReader(c.InOrStdin(), maxDecode+1))
		if err != nil {
			return nil, err
		}
		content = b
	case len(args) == 1 && isFile(args[0]):
		f, err := os.Open(args[0])
		if err != nil {
			return nil, usageError{err}
		}
		defer func() { _ = f.Close() }()
		if content, err = io.ReadAll(io.LimitReader(f, maxDecode+1)); err != nil {
			return nil, err
		}
	default:
		content = []byte(strings.Join(args, " "))
		if _, err := parseHex(string(content)); err != nil {
			return nil, usageError{fmt.Errorf("%w; and it is not the name of a file", err)}
		}
	}
	if len(content) > maxDecode {
		return nil, usageError{fmt.Errorf("more than %d bytes: cut out what you want explained", maxDecode)}
	}
	if !isText(content) {
		return [][]byte{content}, nil
	}
	if !o.lines {
		b, err := parseHex(string(content))
		if err != nil {
			return nil, usageError{err}
		}
		if len(b) == 0 {
			return nil, nil
		}
		return [][]byte{b}, nil
	}
	var out [][]byte
	for i, line := range strings.Split(string(content), "\n") {
		b, err := parseHex(line)
		if err != nil {
			return nil, usageError{fmt.Errorf("line %d: %w", i+1, err)}
		}
		if len(b) > 0 {
			out = append(out, b)
		}
	}
	return out, nil
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

// isText tells hexadecimal text from bytes as they are.
func isText(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 || c < ' ' && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
	}
	return true
}

// parseHex reads hexadecimal digits; spaces, colons, dashes, commas, 0x and
// comments from # to the end of the line are passed over.
func parseHex(s string) ([]byte, error) {
	var digits strings.Builder
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.NewReplacer("0x", " ", "0X", " ").Replace(line)
		for _, c := range line {
			switch {
			case unicode.IsSpace(c), strings.ContainsRune(":-,;", c):
			case c < 0x80 && strings.ContainsRune("0123456789abcdefABCDEF", c):
				digits.WriteRune(c)
			default:
				return nil, fmt.Errorf("%q is not a hexadecimal digit", c)
			}
		}
	}
	if digits.Len()%2 != 0 {
		return nil, fmt.Errorf("%d hexadecimal digits: half a byte is missing", digits.Len())
	}
	return hex.DecodeString(digits.String())
}
