package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/access/audit"
	"tkit/architectures"
	"tkit/architectures/pytorch"
	"tkit/datasets/all"
	"tkit/datasets/digits"
	"tkit/datasets/pictures"
	"tkit/inference"
	"tkit/ingest/graph"
	"tkit/ingest/pipelines"
	"tkit/internal/commandline"
	"tkit/plugins/scaffold"
	"tkit/plugins/trial"
	"tkit/registry"
	"tkit/train/base"
	"tkit/train/scratch"
)

// argumentValues says of every argument and flag with a form of its own what it may be.
// A mistake is reported before any data is read.
var argumentValues = commandline.Values{
	"MODEL":                  {Check: registry.CheckModelName, Offer: modelNames},
	"MODEL[@VERSION|@ALIAS]": {Check: commandline.Parsed(registry.ParseRef), Offer: versionNames},
	"MODEL@VERSION":          {Check: commandline.Parsed(registry.ParseRef), Offer: versionNames},
	"MODEL[@VERSION]":        {Check: commandline.Parsed(registry.ParseVersions), Offer: onlyVersions},
	"MODEL[@ALIAS]":          {Check: commandline.Parsed(registry.ParseAlias), Offer: versionNames},
	"MODEL@ALIAS":            {Check: commandline.Parsed(registry.ParseAlias), Offer: versionNames},
	"--state":                {Choices: []string{string(registry.Available), string(registry.Deprecated)}},
	"--tag":                  {Check: commandline.Parsed(func(text string) (map[string]string, error) { return registry.ParseTags([]string{text}) })},
	"APPLICATION":            {Check: registry.CheckApplicationName},
	"--at":                   {Check: commandline.Parsed(registry.ParseTime)},
	"DATASET":                {Offer: datasetNames},
	"ARCHITECTURE":           {Check: commandline.Parsed(architectures.Lookup), Offer: architectureNames},
	"PLUGIN":                 {Offer: pluginNames},
	"PRINCIPAL":              {Check: commandline.Parsed(access.ParsePrincipal)},
	"NUMBER":                 {Check: commandline.Parsed(commandline.ParseNumber)},
	"bash|zsh|fish":          {Choices: []string{"bash", "zsh", "fish"}},
	"--alias":                {Check: registry.CheckAliasName, Offer: aliasNames},
	"--architecture":         {Check: commandline.Parsed(architectures.Lookup), Offer: architectureNames},
	"--base":                 {Offer: func(c *cli.Context) []string { return append(baseNames(c), versionNames(c)...) }},
	"BASE":                   {Offer: baseNames},
	"--scheme":               {Choices: pytorch.Schemes()},
	"--weights":              {Choices: []string{base.Pretrained, base.Random}},
	"--data":                 {Check: all.Check, Offer: datasetNames},
	"FOLDER|FILE|URI|NAME":   {Check: all.Check, Offer: datasetNames},
	"FOLDER|URI":             {Check: all.CheckExists},
	"PATH":                   {Check: commandline.CheckExists},
	"DIR":                    {Check: commandline.CheckExists},
	"--groups":               {Check: commandline.CheckExists},
	"--labels":               {Check: commandline.CheckExists},
	"--tls-cert":             {Check: commandline.CheckExists},
	"--tls-key":              {Check: commandline.CheckExists},
	"--wheels":               {Check: commandline.CheckExists},
	"--preprocessing":        {Check: base.CheckPreprocessing},
	"--config":               {Check: commandline.Parsed(trial.ParseConfig)},
	"--sides":                {Check: commandline.Parsed(trial.ParseSides)},
	"grant|deny":             {Choices: []string{"grant", "deny", "revoke", "owner"}},
	"--digits":               {Check: commandline.Parsed(digits.Parse)},
	"--expires":              {Check: checkExpiry(access.ParseExpiry)},
	"--format":               {Choices: digits.Formats()},
	"--as":                   {Choices: graph.Formats},
	"--grpc":                 {Check: commandline.CheckAddress},
	"--http":                 {Check: commandline.CheckAddress},
	"--known":                {Check: commandline.Parsed(audit.ParsePosition)},
	"--lang":                 {Choices: []string{"go", "python"}},
	"--look-alikes":          {Choices: []string{string(pictures.Warn), string(pictures.Together), string(pictures.Ignore)}},
	"--model":                {Check: commandline.Parsed(registry.ParseRef), Offer: versionNames},
	"--models":               {Check: commandline.Parsed(registry.ParseRef), Offer: versionNames},
	"--only-for":             {Check: commandline.CheckGiven},
	"--optimiser":            {Choices: []string{string(scratch.SGD), string(scratch.AdamW)}},
	"--owner":                {Check: commandline.Parsed(access.ParsePrincipal)},
	"--pipeline":             {Choices: pipelines.Names},
	"--precision":            {Choices: []string{string(inference.FP32), string(inference.BF16)}},
	"--right":                {Choices: []string{string(access.Use), string(access.Download), string(access.Promote)}},
	"--schedule":             {Choices: []string{string(scratch.Constant), string(scratch.Cosine), string(scratch.Steps)}},
	"add NAME":               {Check: access.CheckName},
	"create --expires":       {Check: checkExpiry(access.ParseTokenExpiry)},
	"create PRINCIPAL":       {Check: commandline.Parsed(access.ParseHolder)},
	"import NAME":            {Check: registry.CheckBaseName},
	"new NAME":               {Check: commandline.Parsed(scaffold.Name)},
	"serve --name":           {Check: registry.CheckModelName},
	"train --name":           {Check: registry.CheckModelName, Offer: modelNames},
}

// checkExpiry checks an expiry with a parser, as of now.
func checkExpiry(parse func(string, time.Time) (time.Time, error)) func(string) error {
	return commandline.Parsed(func(s string) (time.Time, error) { return parse(s, time.Now()) })
}
