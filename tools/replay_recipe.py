"""Make the weights of a recipe again: runs of training, means of them, shifted odds.

    python tools/replay_recipe.py docs/history/recipe.json runs --model full
    python tools/replay_recipe.py my-recipe.json runs --node mean
    python tools/replay_recipe.py docs/history/recipe.json --list
    python tools/replay_recipe.py docs/history/recipe.json --configuration fast-2 > fast-2.json

Every node gets a folder of its name in FOLDER, with ``weights.safetensors``. What is finished is
not made again; a run that was interrupted goes on. Generator, loss and trainer have changed since
the first runs of the shipped models, so that other weights come out of it than those that ship.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from pathlib import Path

# Packages under MONAI print what they do not find; standard output is for results.
with contextlib.redirect_stdout(sys.stderr):
    from BrainSegAccelLib.errors import BrainSegAccelError, InputError
    from BrainSegAccelLib.training.recipe import MeanNode, ModelNode, Recipe, RunNode, read_recipe
    from BrainSegAccelLib.training.replay import Replay


def main() -> int:
    """Read the recipe and do what is asked; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", help="where the nodes are made")
    parser.add_argument("--node", action="append", default=[], help="make this one")
    parser.add_argument("--model", action="append", default=[], help="make the node of this model")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--list", action="store_true", help="say what would be made, in order")
    parser.add_argument("--configuration", metavar="RUN", help="print the configuration of a run")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        recipe = read_recipe(options.recipe)
        targets = options.node + [_node_of(recipe, model) for model in options.model]
        if options.configuration:
            print(_run_of(recipe, options.configuration).configuration.model_dump_json(indent=2))
        elif options.list:
            for name in recipe.order(targets or recipe.nodes):
                print(_line(recipe, name))
        elif not options.folder or not targets:
            raise InputError(
                "nothing to make",
                where="FOLDER, --node",
                remedy="give a folder, and --node or --model",
            )
        else:
            Replay(recipe, options.folder, options.device, print).make(targets)
    except BrainSegAccelError as error:
        print(f"replay_recipe: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    except KeyboardInterrupt:
        print("replay_recipe: interrupted; the same command goes on", file=sys.stderr)
        return 130
    return 0


def _node_of(recipe: Recipe, model: str) -> str:
    if model not in recipe.models:
        raise InputError(
            f"no model {model} in the recipe",
            where="--model",
            remedy=f"give one of {', '.join(recipe.models)}",
        )
    return recipe.models[model]


def _run_of(recipe: Recipe, name: str) -> RunNode:
    node = recipe.nodes.get(name)
    if not isinstance(node, RunNode):
        raise InputError("is no run", where=name, remedy="--list says which nodes are")
    return node


def _line(recipe: Recipe, name: str) -> str:
    """Say in a line what a node is made of, and what for."""
    node = recipe.nodes[name]
    match node:
        case RunNode():
            begins = f"from {node.initial}" if node.initial else "from random weights"
            pruned = ", pruned" if node.prune else ""
            taught = f", towards {' and '.join(node.teachers)}" if node.teachers else ""
            what = f"{node.steps} steps {begins}{pruned}{taught}"
        case MeanNode():
            what = " + ".join(f"{share:g} {part}" for part, share in node.parts.items())
        case ModelNode():
            what = f"the model {node.model}"
        case _:
            what = f"{node.factor:g} times the odds of {node.region} of {node.of}"
    versions = "".join(f"; {each.model} {each.version}" for each in node.released)
    note = f" ({node.note})" if node.note else ""
    return f"{name}: {what}{versions}{note}"


if __name__ == "__main__":
    sys.exit(main())
