"""The sources of settings, one before the other, and which of them a setting's value comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
)

from app.settings.config_file import ConfigFile, read_config_file
from app.settings.env_file import EnvFile

# From the last that counts to the first.
Kind = Literal["default", "config.toml", ".env", "environment", "option"]


@dataclass(frozen=True)
class Origin:
    """Where a value comes from, with its line if that is a file."""

    kind: Kind
    line: int | None = None

    def __str__(self) -> str:
        return self.kind if self.line is None else f"{self.kind}, line {self.line}"


class Filled(PydanticBaseSettingsSource):
    """Another source without its blank values, which leave the setting to the next one."""

    def __init__(self, source: PydanticBaseSettingsSource) -> None:
        super().__init__(source.settings_cls)
        self._source = source

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._source.get_field_value(field, field_name)

    def __call__(self) -> dict[str, Any]:
        return filled(self._source())


class ConfigSource(PydanticBaseSettingsSource):
    """config.toml."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        self._values = filled(read_config_file().values)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


def filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are not blank."""
    return {name: value for name, value in values.items() if not isinstance(value, str) or value.strip()}


def origins(
    settings: type[BaseSettings], given: Mapping[str, object], env_file: EnvFile, config: ConfigFile
) -> dict[str, Origin]:
    """Where the value of each setting comes from; `given` are options of the command line."""
    prefix = settings.model_config["env_prefix"].upper()
    environment = filled(EnvSettingsSource(settings)())
    dotenv = filled(DotEnvSettingsSource(settings)())

    def origin(name: str) -> Origin:
        if name in given:
            return Origin("option")
        if name in environment:
            return Origin("environment")
        if name in dotenv:
            return Origin(".env", env_file.lines.get(f"{prefix}{name.upper()}"))
        if config.values.get(name, "").strip():
            return Origin("config.toml", config.lines[name])
        return Origin("default")

    return {name: origin(name) for name in settings.model_fields}
