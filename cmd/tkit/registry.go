package main

import (
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"tkit/internal/commandline"
	"tkit/registry"
	"tkit/registry/export"
)

func registryCommand() *cli.Command {
	return &cli.Command{
		Name: "registry", Usage: "show, promote, roll back and export versions of models",
		Description: `MODEL@7 is a version, and MODEL@production the version that an alias points to.
MODEL alone means MODEL@production. Versions are immutable, aliases move.`,
		Subcommands: slices.Concat(versionCommands(), aliasCommands(), bindingCommands(), []*cli.Command{propertyCommand()}, protectionCommands(), declassificationCommands(), maintenanceCommands()),
	}
}

// versionCommands are the commands of `tkit registry` that read versions.
func versionCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "list", Usage: "list the models, or the versions of one", ArgsUsage: "[MODEL]",
			Flags: []cli.Flag{purposeFlag(), jsonFlag()},
			Description: `The accuracy of a version is shown only to those who may use the version.

Examples:
   tkit registry list
   tkit registry list flowers
   tkit registry list --json | jq -r '.[].name'`,
			Action: inHome(withCatalog(listRegistry)),
		},
		{
			Name: "show", Usage: "show everything about a version", ArgsUsage: "MODEL[@VERSION|@ALIAS]",
			Flags: []cli.Flag{
				&cli.PathFlag{Name: "html", Usage: "also write it to `FILE`, as a page without scripts that only you can read"},
				&cli.StringFlag{Name: "attachment", Usage: "print the attachment `NAME` instead, which requires the right to download"},
				purposeFlag(), jsonFlag(),
			},
			Description: `This requires the right to use the version. ` + "`tkit registry access`" + ` shows your
rights.

The attachments are the list of the images (snapshot.jsonl), the report about them
(data.json), the events of the training (training.jsonl), and a few images on
which a server compares precisions (sample.tar).

Examples:
   tkit registry show flowers
   tkit registry show --html flowers-7.html flowers@7
   tkit registry show flowers@7
   tkit registry show --json flowers@champion | jq .manifest.lineage
   tkit registry show flowers --attachment training.jsonl | jq 'select(.event == "head").data.penalty'`,
			Action: inHome(withCatalog(withVersion(showVersion))),
		},
		exportCommand(),
	}
}

func exportCommand() *cli.Command {
	return &cli.Command{
		Name: "export", Usage: "write a version as one complete SavedModel", ArgsUsage: "MODEL[@VERSION|@ALIAS] FOLDER",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "with-preprocessing", Usage: "add the signature " + export.BytesSignature + ", which takes encoded images as image_bytes"},
			purposeFlag(), jsonFlag(),
		},
		Description: `The folder must be empty, or must not exist. Python's TensorFlow, TensorFlow
Serving and Triton can load the SavedModel. Its folder assets.extra holds the
manifest, the labels and the preprocessing. The signature serving_default takes
preprocessed images.

With --with-preprocessing, the graph also has the version's own preprocessing. It
decodes JPEG, PNG, GIF and BMP, but not WebP. Plugin steps, the EXIF orientation
and ten crops are not possible in a graph. TFLite's converter, tf2onnx and
OpenVINO do not decode images: convert the signature serving_default, as
docs/serving.md shows.

Examples:
   tkit registry export flowers exported/flowers/1
   tkit registry export flowers exported/flowers/1 --with-preprocessing
   tkit registry export flowers@7 flowers-7`,
		Action: inHome(withCatalog(withVersion(exportVersion))),
	}
}

// aliasCommands are the commands of `tkit registry` for aliases.
func aliasCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "promote", Usage: "point an alias to a version; servers follow within a second", ArgsUsage: "MODEL@VERSION",
			Flags: append(changeFlags(), jsonFlag(),
				&cli.StringFlag{Name: "alias", Value: registry.Production, Usage: "the `NAME` to move"}),
			Description: `Examples:
   tkit registry promote flowers@7
   tkit registry promote --alias champion --reason "better on tulips" flowers@7
   tkit registry promote flowers@champion`,
			Action: inHome(withCatalog(withVersion(promoteVersion))),
		},
		{
			Name: "rollback", Usage: "undo the last promotion of an alias", ArgsUsage: "MODEL[@ALIAS]",
			Flags: append(changeFlags(), jsonFlag()),
			Description: `Each rollback undoes one more promotion, back to the first.

Examples:
   tkit registry rollback flowers
   tkit registry rollback --reason "slow" flowers@champion`,
			Action: inHome(withCatalog(withVersion(rollBack))),
		},
		{
			Name: "remove-alias", Usage: "remove an alias; the version stays", ArgsUsage: "MODEL@ALIAS",
			Flags:       append(changeFlags(), jsonFlag()),
			Description: "Examples:\n   tkit registry remove-alias flowers@champion",
			Action:      inHome(withCatalog(withVersion(removeAlias))),
		},
		{
			Name: "history", Usage: "show who changed what, when and why", ArgsUsage: "[MODEL]",
			Flags: []cli.Flag{jsonFlag(), &cli.StringFlag{Name: "at", Usage: "show what a model's aliases and applications had at a `TIME` instead: a day, to whose end it lasts, or RFC 3339"}},
			Description: `Examples:
   tkit registry history
   tkit registry history flowers
   tkit registry history flowers --at 2026-03-01`,
			Action: inHome(withCatalog(showHistory)),
		},
	}
}

// maintenanceCommands are the commands of `tkit registry` that check and free storage.
func maintenanceCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "remove", Usage: "delete a version, or all versions of a model", ArgsUsage: "MODEL[@VERSION]",
			Flags: append(changeFlags(), jsonFlag()), Action: inHome(withCatalog(removeVersions)),
			Description: "A deletion is final. It is refused while an alias names the version, and requires\n" +
				"the right to grant on all that restricts it. Its number and history remain.\n" +
				"Servers drop it, and `tkit registry gc` removes its files.\n\n" +
				"Examples:\n   tkit registry remove flowers@7 --reason \"wrong labels\"\n   tkit registry remove flowers",
		},
		{
			Name: "verify", Usage: "check everything that is stored against its digests", Flags: []cli.Flag{jsonFlag()},
			Description: `The exit status is 1 when something is not as it was registered.

Examples:
   tkit registry verify`,
			Action: inHome(withCatalog(verifyRegistry)),
		},
		{
			Name: "gc", Usage: "remove files that no version refers to",
			Flags: []cli.Flag{
				&cli.BoolFlag{Name: "dry-run", Usage: "only show what would be removed"},
				&cli.GenericFlag{Name: "wait", Value: commandline.NewDuration(time.Minute), Usage: "wait up to `TIME` for registrations in progress"},
				jsonFlag(),
			},
			Description: `It also removes what crashed runs have left. It works on a full disk. It removes
nothing if the database does not show reliably what is in use.

Examples:
   tkit registry gc --dry-run
   tkit registry gc`,
			Action: inHome(collectBlobs),
		},
	}
}

// changeFlags are the flags of every command that changes the registry.
func changeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "reason", Usage: "the reason for the history, as `TEXT`"},
		purposeFlag(),
		&cli.StringFlag{Name: "actor", Usage: "record `NAME` in the history as the author of the change", EnvVars: []string{"TKIT_ACTOR"}, DefaultText: "the user"},
		&cli.StringFlag{Name: "request-key", Usage: "change nothing if this was done before with the same `KEY`, and say the same"},
	}
}

// change returns who changes the registry, and why, according to the flags.
func change(c *cli.Context) registry.Change {
	return registry.Change{Actor: c.String("actor"), Reason: c.String("reason"), Key: c.String("request-key")}
}
