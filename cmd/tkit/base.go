package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"tkit/access"
	"tkit/catalog"
	"tkit/internal/commandline"
	"tkit/train/base"
)

func baseCommand() *cli.Command {
	return &cli.Command{
		Name: "base", Usage: "import, list, check and remove pretrained networks to train heads on",
		Description: `A base is stored once, by the digest of its network, with its licence, source,
preprocessing and labels. ` + "`tkit train --base NAME`" + ` uses it. It never changes.`,
		Subcommands: []*cli.Command{
			baseImportCommand(),
			{
				Name: "list", Usage: "list the bases", Flags: []cli.Flag{jsonFlag()},
				Description: "Examples:\n   tkit base list\n   tkit base list --json | jq -r '.[].name'",
				Action:      reading(listBases),
			},
			{
				Name: "show", Usage: "show everything about a base", ArgsUsage: "BASE", Flags: []cli.Flag{jsonFlag()},
				Description: "BASE is a name or a digest.\n\nExamples:\n   tkit base show efficientnet-lite0\n   tkit base show --json efficientnet-lite0 | jq .labels",
				Action: reading(func(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
					m, err := k.ShowBase(c.Context, who, c.Args().First())
					if err != nil {
						return err
					}
					return commandline.Show(c, m, func(w io.Writer) error { return base.WriteText(w, m) })
				}),
			},
			{
				Name: "check", Usage: "verify a base against its digest, and compute with it", ArgsUsage: "BASE", Flags: []cli.Flag{jsonFlag()},
				Description: "The outputs for an image must be finite and must not depend on other images.\n\nExamples:\n   tkit base check efficientnet-lite0",
				Action: reading(func(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
					found, err := base.Check(c.Context, k, who, c.Args().First())
					if err != nil {
						return err
					}
					return commandline.Show(c, found, found.WriteText)
				}),
			},
			{
				Name: "remove", Usage: "remove a base", ArgsUsage: "BASE", Flags: []cli.Flag{jsonFlag()},
				Description: "The models trained on it stay as they are, since they have their own trunks.\n" +
					"`tkit registry gc` then removes its files if nothing else needs them.\n\nExamples:\n   tkit base remove efficientnet-lite0",
				Action: inHome(withCatalog(func(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
					m, err := k.RemoveBase(c.Context, who, c.Args().First())
					if err != nil {
						return err
					}
					return commandline.ShowDone(c, m, "removed %s (%s)", m.Name, m.Network.Digest)
				})),
			},
		},
	}
}

func baseImportCommand() *cli.Command {
	return &cli.Command{
		Name: "import", Usage: "store a SavedModel, a frozen graph, or weights of an architecture as a base", ArgsUsage: "NAME PATH",
		Description: `PATH is the folder of a SavedModel, a frozen graph (.pb), or, with --architecture,
a file of weights: PyTorch's state dictionaries (.pth, .pt, .bin) and safetensors
under the names of torchvision, timm or EfficientNet-PyTorch. Nothing in a file is
executed: a pickle that names anything but weights is refused.

--scheme states whose names the weights have, if networks that compute differently
have the same names: timm-tf for timm's tf_efficientnet_lite models. The
preprocessing is that of the published weights; torchvision's GoogLeNet and
Inception v3 need --preprocessing tf or torch.

Examples:
   tkit base import resnet50 exported/resnet50
   tkit base import inception inception_v3_frozen.pb --preprocessing tf --labels labels.txt
   tkit base import resnet50 resnet50-0676ba61.pth --architecture resnet50v1.5 --licence BSD-3-Clause
   tkit base import lite0 model.safetensors --architecture efficientnet-lite0 --scheme timm-tf`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "architecture", Usage: "the weights are for this `NETWORK`; tkit architectures list shows them"},
			&cli.StringFlag{Name: "scheme", Usage: "the weights have the names of `LIBRARY`: torchvision, timm, timm-tf or efficientnet-pytorch", DefaultText: "what the names tell"},
			&cli.StringFlag{Name: "preprocessing", Usage: "how images become input: `WHAT` is caffe, tf, torch, unit, none, or a YAML file of steps", DefaultText: "the one recorded, or of the published weights"},
			&cli.PathFlag{Name: "labels", Usage: "`FILE` has the name of a class in each line, in the order of the outputs"},
			&cli.StringFlag{Name: "licence", Usage: "the `TERMS` under which the weights may be used, such as Apache-2.0"},
			&cli.StringFlag{Name: "source", Usage: "where the weights are from: `TEXT`, such as an address"},
			&cli.StringFlag{Name: "weights", Usage: "`KIND` is pretrained or random", DefaultText: "random if all biases and statistics have their first values"},
			&cli.StringSliceFlag{Name: "tag", Usage: "a `TAG` of the SavedModel's meta graph, where it has several; may be repeated"},
			&cli.StringFlag{Name: "signature", Usage: "the `NAME` of the SavedModel's signature, where it has several"},
			&cli.StringFlag{Name: "input", Usage: "the `NAME` of the input for the images, where it has several"},
			&cli.StringFlag{Name: "output", Usage: "the `NAME` of the output, or of a frozen graph's node, to use", DefaultText: "the deepest"},
			jsonFlag(),
		},
		Action: withCatalog(importBase),
	}
}

func importBase(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	m, err := base.Import(c.Context, k, who, base.Options{
		Source: base.Source{
			Path: c.Args().Get(1), Architecture: c.String("architecture"), Scheme: c.String("scheme"),
			Tags: c.StringSlice("tag"), Signature: c.String("signature"), Output: c.String("output"),
			Note: func(text string) { commandline.Tell(c, "note", text) },
		},
		Name: c.Args().First(), Input: c.String("input"), Preprocessing: c.String("preprocessing"), Labels: c.Path("labels"),
		Weights: c.String("weights"), Licence: c.String("licence"), Origin: c.String("source"),
	})
	if err != nil {
		return err
	}
	return commandline.ShowDone(c, m, "imported %s (%s)\nuse it:  tkit train --base %s --data FOLDER --name MODEL", m.Name, m.Network.Digest, m.Name)
}

func listBases(c *cli.Context, k *catalog.Catalog, who access.Caller) error {
	all, err := k.ListBases(c.Context, who)
	if err != nil {
		return err
	}
	return commandline.ShowList(c, all, "no base is stored; `tkit base import` stores one", base.Header, base.Row)
}
