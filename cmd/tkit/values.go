package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/access/audit"
	"tkit/architectures"
	"tkit/architectures/pytorch"
	"tkit/datasets/digits"
	"tkit/datasets/pictures"
	"tkit/inference"
	"tkit/internal/commandline"
	"tkit/plugins/trial"
	"tkit/registry"
	"tkit/train/base"
	"tkit/train/scratch"
)

// argumentValues says of every argument and flag with a form of its own what it may be.
// A mistake is reported before any data is read.
var argumentValues = commandline.Values{
	"MODEL":                  {Check: registry.CheckModelName, Offer: modelNames},
	"MODEL[@VERSION|@ALIAS]": {Check: valid(registry.ParseRef), Offer: versionNames},
	"MODEL@VERSION":          {Check: valid(registry.ParseRef), Offer: versionNames},
	"MODEL[@ALIAS]":          {Check: valid(registry.ParseRef), Offer: versionNames},
	"MODEL@ALIAS":            {Check: valid(registry.ParseRef), Offer: versionNames},
	"DATASET":                {Offer: datasetNames},
	"ARCHITECTURE":           {Check: valid(architectures.Lookup), Offer: architectureNames},
	"PLUGIN":                 {Offer: pluginNames},
	"PRINCIPAL":              {Check: valid(access.ParsePrincipal)},
	"NUMBER":                 {Check: valid(parseNumber)},
	"bash|zsh|fish":          {Choices: []string{"bash", "zsh", "fish"}},
	"--alias":                {Check: registry.CheckAliasName, Offer: aliasNames},
	"--architecture":         {Check: valid(architectures.Lookup), Offer: architectureNames},
	"--base":                 {Offer: func(c *cli.Context) []string { return append(baseNames(c), versionNames(c)...) }},
	"BASE":                   {Offer: baseNames},
	"--scheme":               {Choices: pytorch.Schemes()},
	"--weights":              {Choices: []string{base.Pretrained, base.Random}},
	"--data":                 {Offer: datasetNames},
	"--config":               {Check: valid(trial.ParseConfig)},
	"--sides":                {Check: valid(trial.ParseSides)},
	"grant|deny":             {Choices: []string{"grant", "deny", "revoke", "owner"}},
	"--digits":               {Check: valid(digits.Parse)},
	"--expires":              {Check: checkExpiry},
	"--format":               {Choices: digits.Formats()},
	"--grpc":                 {Check: checkAddress},
	"--http":                 {Check: checkAddress},
	"--known":                {Check: valid(audit.ParsePosition)},
	"--lang":                 {Choices: []string{"go", "python"}},
	"--look-alikes":          {Choices: []string{string(pictures.Warn), string(pictures.Together), string(pictures.Ignore)}},
	"--model":                {Check: valid(registry.ParseRef), Offer: versionNames},
	"--models":               {Check: valid(registry.ParseRef), Offer: versionNames},
	"--only-for":             {Check: checkPurpose},
	"--optimiser":            {Choices: []string{string(scratch.SGD), string(scratch.AdamW)}},
	"--owner":                {Check: valid(access.ParsePrincipal)},
	"--precision":            {Choices: []string{string(inference.FP32), string(inference.BF16)}},
	"--right":                {Choices: []string{string(access.Use), string(access.Download), string(access.Promote)}},
	"--schedule":             {Choices: []string{string(scratch.Constant), string(scratch.Cosine), string(scratch.Steps)}},
	"train --name":           {Check: registry.CheckModelName, Offer: modelNames},
}

// valid makes a check of a function that reads a value.
func valid[T any](parse func(string) (T, error)) func(string) error {
	return func(s string) error {
		_, err := parse(s)
		return err
	}
}

func checkExpiry(s string) error {
	_, err := access.ParseExpiry(s, time.Now())
	return err
}

func parseNumber(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		err = fmt.Errorf("%q: name it by its number, which the listing shows", s)
	}
	return n, err
}

func checkPurpose(s string) error {
	if s == "" {
		return errors.New("it is empty: name a purpose, or leave the flag out for a grant for all")
	}
	return nil
}

// checkAddress accepts HOST:PORT, and "" for none.
func checkAddress(s string) error {
	if s == "" {
		return nil
	}
	_, _, err := net.SplitHostPort(s)
	return err
}
