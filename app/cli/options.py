"""Options that several commands share: each group is one value, which a command takes as one parameter.

``@spread`` gives the command an option per field in place of the parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any, get_type_hints

import typer

from tamis.data.errors import SettingError
from tamis.data.shapes import Shape

TextRole = Annotated[
    str | None, typer.Option(help="Column of the text; page.text for a nested column.", show_default=False)
]
ShapeRole = Annotated[
    str | None,
    typer.Option(
        help="What a row is: text, conversation, preference, prompt, template='{title}\\n\\n{body}', or a shape with"
        " its columns; found by itself if absent.",
        show_default=False,
    ),
]
IdRole = Annotated[str | None, typer.Option(help="Column of unique ids.", show_default=False)]
SourceRole = Annotated[str | None, typer.Option(help="Column of the source of a document.", show_default=False)]
LanguageRole = Annotated[str | None, typer.Option(help="Column of the stated language.", show_default=False)]
LabelRole = Annotated[str | None, typer.Option(help="Column of labels, for probes and colours.", show_default=False)]
Tier = Annotated[
    str | None,
    typer.Option(
        help="Embedding: auto (precise if it takes less than five minutes, else tuned), fast, tuned, precise.",
        show_default=False,
    ),
]
Model = Annotated[
    str | None, typer.Option(help="Model of the precise tier: a folder or a cached name.", show_default=False)
]
Tokenizer = Annotated[
    str | None,
    typer.Option(
        help="What counts tokens: minilm-bytes (default), minilm-wordpiece, a tokenizer.json, its folder, a .tiktoken"
        " file or a cached name.",
        show_default=False,
    ),
]
Vectors = Annotated[
    str | None, typer.Option(help="Your own vectors: a column of lists, or npy file or folder.", show_default=False)
]
Coordinates = Annotated[
    str | None, typer.Option(help="Your own map: two columns of numbers, as X,Y.", show_default=False)
]
MapSetting = Annotated[
    list[str] | None,
    typer.Option("--map", help="Further setting of the map, as min_cluster_size=50.", show_default=False),
]
NewDocuments = Annotated[
    str | None,
    typer.Option(
        help="When a corpus has grown: rebuilt (default: neighbours, map and clusters of all documents) or placed (new"
        " documents on the map and in the clusters of the earlier analysis).",
        show_default=False,
    ),
]
Skip = Annotated[bool, typer.Option("--skip-bad-files", help="Leave out files that cannot be read, and name them.")]
SkipLines = Annotated[
    bool, typer.Option("--skip-bad-lines", help="Leave out lines that cannot be read, and say how many and where.")
]
Origin = Annotated[
    bool, typer.Option("--origin", help="Add the columns file and, where names tell it, split; a run writes them, too.")
]


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with an option per field of each group among its keyword-only parameters."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if is_dataclass(kind) and isinstance(kind, type)}
    parameters: list[Parameter] = []
    for name, parameter in signature(command).parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(annotation=hints[name]))
            continue
        of_group = get_type_hints(groups[name], include_extras=True)
        parameters += [
            Parameter(field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=of_group[field.name])
            for field in fields(groups[name])
        ]

    @wraps(command)
    def call(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    call.__signature__ = signature(command).replace(parameters=parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters} | {"return": None}
    return call


@dataclass(frozen=True)
class RoleOptions:
    """Columns that a person names."""

    text: TextRole = None
    id: IdRole = None
    source: SourceRole = None
    language: LanguageRole = None
    label: LabelRole = None
    shape: ShapeRole = None

    @property
    def chosen(self) -> dict[str, str]:
        """Return the columns by role; a shape stands in the place of the text.

        Raises:
            SettingError: an unknown shape, or a shape and a column of text.
        """
        named = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "shape"}
        if self.shape is not None:
            if self.text is not None and self.shape != "text":
                raise SettingError(
                    "Name a shape or a column of text", value=[self.shape, self.text], allowed="one of them"
                )
            named["text"] = self.text or Shape.role(self.shape)
        return {role: column for role, column in named.items() if column is not None}


@dataclass(frozen=True)
class ReadingOptions:
    """What becomes of bad files and lines, and which columns paths give."""

    skip_bad_files: Skip = False
    skip_bad_lines: SkipLines = False
    origin: Origin = False

    @property
    def chosen(self) -> dict[str, Any]:
        """Return the options for ``open_corpus``."""
        given: dict[str, Any] = {"on_bad_file": "skip"} if self.skip_bad_files else {}
        given |= {"on_bad_line": "skip"} if self.skip_bad_lines else {}
        return given | ({"path_columns": "all"} if self.origin else {})


@dataclass(frozen=True)
class AnalysisOptions:
    """How tokens are counted and the map is made."""

    tier: Tier = None
    model: Model = None
    tokenizer: Tokenizer = None
    vectors: Vectors = None
    coordinates: Coordinates = None
    settings: MapSetting = None
    new_documents: NewDocuments = None

    @property
    def chosen(self) -> dict[str, Any]:
        """Return the options by name.

        Raises:
            SettingError: a setting that cannot be read, or an unknown tokenizer.
        """
        # Late: tokenizers.
        from tamis.analytics.signals.token_counter import tokenizer_name

        named = (("tier", self.tier), ("model", self.model), ("new_documents", self.new_documents))
        chosen: dict[str, Any] = {name: value for name, value in named if value is not None}
        if self.tokenizer is not None:
            chosen["tokenizer"] = tokenizer_name(self.tokenizer)
        if self.vectors is not None:
            chosen |= {"tier": self.tier or "given", "vectors": self.vectors}
        elif self.tier is not None:
            chosen["vectors"] = ""
        if self.coordinates is not None:
            x, comma, y = self.coordinates.partition(",")
            if not comma:
                raise SettingError("Coordinates are two columns", value=self.coordinates, allowed="X,Y")
            chosen |= {"x": x.strip(), "y": y.strip()}
        return chosen | _settings(self.settings or ())


def _settings(given: Sequence[str]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for setting in given:
        name, equals, value = setting.partition("=")
        if not equals:
            raise SettingError("A setting of the map is a name and a value", value=setting, allowed="name=value")
        chosen[name.strip()] = int(value) if value.strip().lstrip("-").isdigit() else value.strip()
    return chosen
