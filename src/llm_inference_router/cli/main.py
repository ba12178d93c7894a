"""The command `llm-router`. Each verb is a module of its own and is imported only when it is called."""

import importlib
from collections.abc import Mapping

import click

_VERBS: Mapping[str, str] = {
    "serve": "Run the router.",
    "init": "Find keys and local servers, write a configuration.",
    "demo": "Show the router at work on simulated models.",
    "check": "Validate a configuration: every problem in one go.",
    "schema": "Print the JSON Schema of the configuration, for editors.",
    "route": "Show the decision for a prompt, or for many.",
    "report": "Show what was spent and saved, by route and model.",
    "train": "Fit a predictor to data with known answers.",
    "eval": "Score the predictor on data with known answers.",
    "calibrate": "Teach the predictor from your own prompts, under a dollar cap.",
}


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"llm_inference_router.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            from difflib import get_close_matches

            near = get_close_matches(args[0], _VERBS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx) from None


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]}, epilog="Start with: llm-router init")
@click.version_option(package_name="llm-inference-router")
def main() -> None:
    """Sends each request to the cheapest language model that is good enough, behind the OpenAI API."""


if __name__ == "__main__":
    main()
