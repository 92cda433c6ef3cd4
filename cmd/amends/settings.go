package main

import "github.com/spf13/cobra"

func settingsTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "settings",
		Short: "Where a flag's value comes from: command line, environment, file",
		Long: `Flags can also be given by the environment or by a file. What stands higher wins:

  1. the command line          --ops-listen 127.0.0.1:7071
  2. the environment           AMENDS_OPS_LISTEN=127.0.0.1:7071
  3. the file, under the       serve:
     command's name              ops-listen: 127.0.0.1:7071
  4. the file, at its top      ops-listen: 127.0.0.1:7071
  5. the default, which --help shows

The variable is AMENDS_ and the flag's name in capitals, with underscores for dashes; an
empty one counts as not set. The file is YAML and is named by --config or AMENDS_CONFIG:

  server: 127.0.0.1:7070
  report:
    tenant: shop-4
  serve:
    redis: redis://127.0.0.1:6379
    key-file: /etc/amends/key
    policy: /etc/amends/policy.yaml
  policy:
    test:
      policy: /etc/amends/policy.yaml

A key that is not known is an error that says where it stands and what was probably meant;
all faults are reported at once. What one call is about (--customer, --event-id,
--interaction-id, --request-id) and --yes are taken from the command line alone, and so are
--redis and --not-empty of bench, since it fills the store that it is given. A variable
AMENDS_… that is no setting is warned of. NO_COLOR (any value) turns colour off. Where
the output is not a terminal, COLUMNS sets the width, 80 to 120, and any of a list of cases,
which without it has all columns in full.`,
	}
}
