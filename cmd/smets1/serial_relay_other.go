//go:build !linux

package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"
)

func newSerialRecordCommand() *cobra.Command { return linuxOnly("record PORT") }
func newSerialReplayCommand() *cobra.Command { return linuxOnly("replay FILE") }

func linuxOnly(use string) *cobra.Command {
	return &cobra.Command{Use: use, Short: "Needs ptys as Linux has them", RunE: func(*cobra.Command, []string) error {
		return errors.New("this needs ptys as Linux has them")
	}}
}

func radioLine(string) (io.ReadWriteCloser, string, error) {
	return nil, "", usageError{errors.New("--pty needs ptys as Linux has them")}
}
