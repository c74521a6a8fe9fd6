"""What a ruling comes to for a series, as far as it can be compared between two rule sets."""

from __future__ import annotations

from dataclasses import dataclass

from node.core.rules import EACH, Disposition, Ruling

Asked = tuple[str, str, str, tuple[str, ...]]  # model, version, volume, destinations


@dataclass(frozen=True)
class Effect:
    """Two equal ones are no difference to anybody. Which rule it was is told, and does not count."""

    disposition: Disposition
    inferences: tuple[Asked, ...]
    priority: str
    deadline: float | None  # seconds
    tags: tuple[str, ...]
    notices: tuple[tuple[tuple[str, ...], str], ...]  # to whom, and what

    @property
    def labels(self) -> tuple[str, ...]:
        """What it is counted under: the models, or held, ignored, waiting."""
        if self.disposition is Disposition.INFER:
            return tuple(sorted({model for model, _, _, _ in self.inferences}))
        return (_LABELS[self.disposition],)

    @property
    def told(self) -> str:
        """In words, for a list."""
        if self.disposition is not Disposition.INFER:
            return ", ".join([_LABELS[self.disposition], *(f"tag {tag}" for tag in self.tags)])
        asked = "; ".join(_asked(one) for one in self.inferences)
        return ", ".join([asked, *([self.priority] if self.priority != "routine" else []),
                          *(f"tag {tag}" for tag in self.tags)])  # fmt: skip

    def models(self, volumes: int) -> list[str]:
        """The model of every inference that it comes to, for a series of so many volumes."""
        if self.disposition is not Disposition.INFER:
            return []
        return [model for model, _, volume, _ in self.inferences for _ in range(volumes if volume == EACH else 1)]


def effect_of(ruling: Ruling) -> Effect:
    """The effect of a ruling, or of a decision."""
    return Effect(
        disposition=ruling.disposition,
        inferences=tuple((one.model, one.version or "", one.volume, one.deliver) for one in ruling.inferences),
        priority=ruling.priority.value,
        deadline=ruling.deadline.total_seconds() if ruling.deadline else None,
        tags=ruling.tags,
        notices=tuple((notice.to, notice.text) for notice in ruling.notices),
    )


def _asked(one: Asked) -> str:
    model, version, volume, deliver = one
    name = f"{model}@{version}" if version else model
    of = f" of {volume}" if volume else ""
    return f"{name}{of} to {', '.join(deliver)}" if deliver else f"{name}{of}"


_LABELS = {Disposition.HOLD: "held", Disposition.IGNORE: "ignored", Disposition.WAIT: "waiting"}
