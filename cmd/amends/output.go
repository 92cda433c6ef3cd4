package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/show"
)

// formats are what -o takes.
var formats = []string{"table", "json"}

// addFormat adds -o, the form of the answer.
func addFormat(cmd *cobra.Command) *string {
	format := oneOf{value: "table", known: formats}
	cmd.Flags().VarP(&format, "output", "o", "`FORM` of the answer: table for people, json for machines")
	registerChoice(cmd, "output", formats)
	return &format.value
}

// addColourFlag adds --color to the root, for every command.
func addColourFlag(root *cobra.Command) {
	choice := oneOf{value: "auto", known: []string{"auto", "always", "never"}}
	root.PersistentFlags().Var(&choice, "color", "`WHEN` to use colour: auto (a terminal without NO_COLOR), always, never")
	registerChoice(root, "color", choice.known)
}

// page is the paper to print on: the width of the terminal, or none but for COLUMNS, coloured if it can show it and nobody objects.
func (a *app) page(cmd *cobra.Command) show.Page {
	terminal := a.isTerminal(a.stdout)
	width, _ := a.size()
	page := show.Page{Width: width, Unbound: !terminal && a.getenv("COLUMNS") == "", Now: a.now()}
	switch cmd.Flag("color").Value.String() {
	case "always":
		page.Colour = true
	case "auto":
		page.Colour = terminal && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"
	}
	return page
}

// printJSON writes the message as one line of protojson.
func printJSON(w io.Writer, message proto.Message) error {
	text, err := protojson.Marshal(message)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}
