"""The command line, from the applications of its verbs."""

from typing import Any

from runwidgets.cli.command import RunWidgetsCommand


def list_commands() -> str:
    """Return a section for each verb: what it does, its options and an example."""
    return "\n".join(
        _section(verb, application)
        for verb, (application, _) in sorted(RunWidgetsCommand.subcommands.items())
    )


def _section(verb: str, application: Any) -> str:
    inherited = {"log-level", "debug"}
    classes = {cls.__name__: cls for cls in (*application.mro(), *application.classes)}
    options = []
    for name, target in application.aliases.items():
        if name not in inherited:
            section, _, trait_name = target.partition(".")
            trait = getattr(classes[section], trait_name)
            options.append(f"| `--{name}=…` | {trait.help.strip()} |")
    for name, (_, text) in application.flags.items():
        if name not in inherited:
            options.append(f"| `--{name}` | {text.strip()} |")
    table = "| option | what it does |\n|---|---|\n" + "\n".join(options)
    example = f"```bash\n{application.examples.strip()}\n```"
    return f"## jupyter runwidgets {verb}\n\n{application.description.strip()}\n\n{table}\n\n{example}\n"
