"""Tools: typed Python functions that a model can call."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError, create_model

from engrain.errors import ToolError


@dataclass(frozen=True)
class Tool:
    """A function with the JSON schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON schema of an object."""
    function: Callable[..., object] = field(repr=False)
    model: Any = field(repr=False)

    def call(self, arguments: str | Mapping[str, Any]) -> str:
        """Run it with JSON arguments; the result as text. Raises ToolError for arguments that do not fit."""
        try:
            raw = json.loads(arguments) if isinstance(arguments, str) else dict(arguments)
            values = self.model.model_validate(raw, strict=False)
        except (ValidationError, ValueError, TypeError) as error:
            detail = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
            where = ".".join(map(str, detail["loc"])) or "arguments"
            raise ToolError(f"tool {self.name!r}: {where}: {detail['msg']}; it takes {json.dumps(self.parameters['properties'])}") from error
        result = self.function(**{name: getattr(values, name) for name in type(values).model_fields})
        return result if isinstance(result, str) else json.dumps(TypeAdapter(type(result)).dump_python(result, mode="json"), ensure_ascii=False)

    def schema(self) -> dict[str, Any]:
        """As an OpenAI-compatible endpoint takes it."""
        return {"type": "function", "function": {"name": self.name, "description": self.description, "parameters": dict(self.parameters)}}


def tool(function: Callable[..., object]) -> Tool:
    """Declare a tool from a function with typed parameters and a docstring.

    Lines `name: what it is` under *Args:* describe the parameters. Raises ToolError where a type or the docstring is missing.
    """
    name = function.__name__
    doc = inspect.getdoc(function)
    if not doc:
        raise ToolError(f"function {name!r} has no docstring; a model chooses tools by it: say what it does")
    hints = get_type_hints(function)
    described = dict(re.findall(r"^\s+(\w+): (.+)$", doc.partition("Args:")[2], re.MULTILINE))
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ToolError(f"function {name!r} takes *{parameter.name}; a tool needs named parameters")
        if parameter.name not in hints:
            raise ToolError(f"parameter {parameter.name!r} of {name!r} has no type; annotate it")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints[parameter.name], Field(default, description=described.get(parameter.name)))
    model = create_model(f"{name}_arguments", __config__={"extra": "forbid"}, **fields)
    schema = model.model_json_schema()
    parameters = {k: v for k, v in schema.items() if k in {"type", "properties", "required", "$defs"}}
    parameters.setdefault("properties", {})
    return Tool(name, doc.partition("Args:")[0].strip(), parameters, function, model)
