package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// scalar reads the text of one value as what its key wants. What it gives is
// for koanf: types that read themselves from text stay text.
func (k Key) scalar(t reflect.Type, text string) (any, error) {
	switch {
	case isText(t):
		v, ok := reflect.New(t).Interface().(encoding.TextUnmarshaler)
		if !ok {
			return nil, fmt.Errorf("%s cannot be read from text", t)
		}
		if err := v.UnmarshalText([]byte(text)); err != nil {
			return nil, err
		}
		return text, nil
	case t == durationType:
		d, err := time.ParseDuration(text)
		if err != nil {
			if _, err := strconv.ParseFloat(text, 64); err == nil {
				return nil, fmt.Errorf("%s has no unit: write it like %ss, %sm or %sh", text, text, text, text)
			}
			return nil, fmt.Errorf("%q is not a duration: write it like 30s, 5m or 2h", text)
		}
		return d, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		switch text {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("%q is neither true nor false", text)
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number", text)
		}
		return n, nil
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", text)
		}
		return f, nil
	case reflect.String:
		if len(k.Words) > 0 && !slices.Contains(k.Words, text) {
			return nil, fmt.Errorf("%q is not one of %s%s", text, strings.Join(k.Words, ", "), didYouMean(text, k.Words))
		}
		return text, nil
	default:
		return nil, errors.New("it has parts: write it in the file")
	}
}

func didYouMean(word string, words []string) string {
	if n := nearest(word, words); n != "" {
		return fmt.Sprintf(" (did you mean %s?)", n)
	}
	return ""
}

// text reads what an environment variable or flag says; lists are joined by commas.
func (k Key) text(s string) (any, error) {
	if !k.List {
		return k.scalar(k.Type, s)
	}
	if k.Group {
		return nil, errors.New("it has parts: write it in the file")
	}
	list := []any{}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		v, err := k.scalar(k.Type.Elem(), part)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}
