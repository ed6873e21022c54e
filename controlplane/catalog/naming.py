"""What people call boards: which board models a name can mean."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controlplane.domain.part import BoardModel, Family, Part

FAMILY_WORDS: Mapping[Family, tuple[str, ...]] = {
    Family.STM32: ("stm32", "stm32f4", "stm32 f4"),
    Family.ESP32: ("esp32", "esp 32"),
}
"""What a family is called. The part ESP32 shares its name with its family, so it means them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """The board models that a name can mean, and which one it means if nothing else is said."""

    models: frozenset[str]
    default: str = ""

    @property
    def meant(self) -> str:
        """The one board model that is meant; "" when that is open."""
        return next(iter(self.models)) if len(self.models) == 1 else self.default

    def both(self, other: "Naming") -> "Naming":
        """What two names mean together: "an ESP32-C3" that is "a SuperMini"."""
        models = self.models & other.models
        defaults = ({self.default, other.default} & models) - {""}
        return Naming(models=models, default=defaults.pop() if len(defaults) == 1 else "")

    def either(self, other: "Naming") -> "Naming":
        """What one name means that is used for two things."""
        models = self.models | other.models
        return Naming(models=models)


def name_boards(
    boards: Iterable[BoardModel], parts: Mapping[str, Part]
) -> tuple[dict[str, Naming], dict[str, Naming]]:
    """Every name as people write it, and again without case, hyphens and spaces."""
    spoken: dict[str, Naming] = {}
    squeezed: dict[str, Naming] = {}

    def add(names: Iterable[str], naming: Naming) -> None:
        for name in dict.fromkeys(names):
            words = " ".join(name.lower().replace("-", " ").split())
            for index, key in ((spoken, words), (squeezed, squeeze(name))):
                known = index.get(key, naming)
                index[key] = known if known.models == naming.models else known.either(naming)

    models = list(boards)
    for board in models:
        own = frozenset({board.key})
        add((board.key, board.name, *board.words), Naming(models=own))
    for part in parts.values():
        on_part = frozenset(board.key for board in models if board.part == part.key)
        if on_part:
            naming = Naming(models=on_part, default=part.default_model)
            add((part.key, part.name, *part.words), naming)
    for family, words in FAMILY_WORDS.items():
        members = frozenset(b.key for b in models if parts[b.part].family is family)
        if members:
            add(words, Naming(models=members))
    return spoken, squeezed


def squeeze(name: str) -> str:
    """A name without case, hyphens and spaces."""
    return "".join(ch for ch in name.lower() if ch.isalnum())
