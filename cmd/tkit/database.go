package main

import (
	"github.com/urfave/cli/v2"

	"tkit/catalog"
	"tkit/internal/commandline"
)

func databaseCommand() *cli.Command {
	return &cli.Command{
		Name: "database", Usage: "prepare a PostgreSQL database that several servers share",
		Subcommands: []*cli.Command{{
			Name: "init", Usage: "prepare the database that --database or TKIT_DATABASE names",
			Description: `Models, permissions and the audit log are kept in the schema tkit of this database,
beside the tables of other programs. No command uses a database before it is
prepared, so that a wrong address is not mistaken for a new registry. A database
that is already prepared stays as it is.

The address is that of libpq: postgres://USER:PASSWORD@HOST:PORT/NAME. Other users
of the machine see the arguments of a command: put an address with a password into
TKIT_DATABASE, or the password into PGPASSWORD or ~/.pgpass.

Examples:
   TKIT_DATABASE=postgres://tkit@db.example.org/models tkit database init`,
			Flags: []cli.Flag{jsonFlag()},
			Action: func(c *cli.Context) error {
				if options(c).Database == "" {
					return commandline.Usagef("name the database with --database or TKIT_DATABASE")
				}
				if err := catalog.InitDatabase(c.Context, options(c).Database); err != nil {
					return err
				}
				return commandline.ShowDone(c, map[string]any{"initialised": true}, "the database is ready")
			},
		}},
	}
}
