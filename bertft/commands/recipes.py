"""recipes: list, show and copy the bundled recipes."""

from __future__ import annotations

from pathlib import Path

from bertft.errors import RecipeError
from bertft.recipe import bundled_recipes, find_recipe, load_recipe, recipe_text


def list_recipes() -> list[dict[str, str]]:
    """Name, task, model and description of every bundled recipe."""
    rows = []
    for name in bundled_recipes():
        recipe = load_recipe(name)
        rows.append(
            {
                "recipe": name,
                "task": str(recipe.task["name"]),
                "model": recipe.model.name,
                "description": recipe.description,
            }
        )
    return rows


def show_recipe(name: str) -> str:
    """The recipe file as it is written, comments included."""
    return recipe_text(find_recipe(name))


def copy_recipe(name: str, to: str) -> Path:
    """Copy a recipe to a file of your own. Raises RecipeError when that file exists."""
    source = find_recipe(name)
    text = recipe_text(source)
    target = Path(to) if to else Path(source.name)
    if target.is_dir():
        target = target / source.name
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise RecipeError(f"{target} exists already", hint="name another file") from None
    except OSError as error:
        raise RecipeError(f"{target} cannot be written ({error.strerror})") from None
    return target
