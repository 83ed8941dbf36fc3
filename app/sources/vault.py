"""What an Obsidian vault says of its own folders: where templates and attachments lie.

In .obsidian (https://help.obsidian.md/configuration-folder) the core plugin's templates.json and Templater's
data.json name the folder of templates, app.json that of attachments. What is walked may be a part of a vault.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.profiles.strict_json import JsonMistake, loads
from app.sources.place import is_folder

CONFIGURATION = ".obsidian"
TEMPLATES = "templates; name the folder to add it"
ATTACHMENTS = "attachments of notes; name the folder to add it"
# Each with its file, and the keys in it.
TEMPLATE_SETTINGS = (
    ("templates.json", ("folder",)),
    ("plugins/templater-obsidian/data.json", ("templates_folder", "template_folder")),
)
ATTACHMENT_SETTINGS = (("app.json", ("attachmentFolderPath",)),)
MAX_SETTINGS = 2**20


@dataclass(frozen=True, slots=True)
class Vault:
    """The real folders that are not looked into; without a setting any is one that is called templates.
    `beside` are names of folders for attachments that lie beside the notes."""

    templates: frozenset[Path] = frozenset()
    attachments: frozenset[Path] = frozenset()
    beside: frozenset[str] = frozenset()

    def reason(self, folder: Path) -> str:
        """Why the folder is passed over; "" if it is not."""
        real = folder.resolve()
        if real in self.templates or (not self.templates and folder.name.lower() == "templates"):
            return TEMPLATES
        return ATTACHMENTS if real in self.attachments or folder.name in self.beside else ""


def vault_of(folder: Path) -> Vault:
    """The vault that the folder is, or lies in."""
    real = folder.resolve()
    for root in (real, *real.parents):
        if is_folder(root / CONFIGURATION):
            named = _settings(root / CONFIGURATION, ATTACHMENT_SETTINGS)
            return Vault(
                templates=_folders(root, _settings(root / CONFIGURATION, TEMPLATE_SETTINGS)),
                attachments=_folders(root, [one for one in named if not one.startswith("./")]),
                beside=frozenset(name for one in named if (name := one.removeprefix("./")) != one and name),
            )
    return Vault()


def _folders(root: Path, names: list[str]) -> frozenset[Path]:
    """The vault's own folder is none of them: it would be all notes."""
    return frozenset({(root / name.strip("/")).resolve() for name in names} - {root})


def _settings(configuration: Path, settings: tuple[tuple[str, tuple[str, ...]], ...]) -> list[str]:
    """What the files of settings name that are there and can be read."""
    found = []
    for file, keys in settings:
        try:
            with (configuration / file).open("rb") as stream:
                given = loads(stream.read(MAX_SETTINGS).decode())
        except (OSError, UnicodeDecodeError, JsonMistake):
            continue
        values = [given.get(key) for key in keys] if isinstance(given, dict) else []
        found += [value for value in values if isinstance(value, str) and value.strip("/. ")]
    return found
