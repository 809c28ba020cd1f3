"""A load test as a web page for people and a JSON document for machines; nothing outside is ever loaded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

from quetzalcore.ops.stress.figures import Figures
from quetzalcore.ops.stress.pictures import pictures_of
from quetzalcore.ops.stress.plan import Action, LoadPlan
from quetzalcore.ops.stress.verdict import Outcome, Targets, Verdict
from quetzalcore.reporting.html import inline, number

__all__ = ["StressReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StressReport:
    """All that is told of a load test."""

    plan: LoadPlan
    weights: Mapping[Action, int]
    targets: Targets
    figures: Figures
    verdict: Verdict
    began_at: dt.datetime
    version: str

    @property
    def words(self) -> str:
        """The verdict in one sentence."""
        if self.verdict.outcome is Outcome.TOO_SHORT:
            return "The run is too short to judge."
        missed = [
            each.target[0].lower() + each.target[1:]
            for each in self.verdict.targets
            if each.met is False
        ]
        return f"Not met: {', '.join(missed)}." if missed else "Every target is met."

    @property
    def names(self) -> dict[str, str]:
        """Short names of the instances, in the order in which they were first heard of."""
        found = enumerate(self.figures.instances, 1)
        return {each.instance: f"instance {place}" for place, each in found}

    def document(self) -> dict[str, Any]:
        """Give it as JSON."""
        figures = asdict(self.figures)
        moments = figures.pop("moments")
        return {
            "verdict": asdict(self.verdict),
            "plan": asdict(self.plan),
            "weights": dict(self.weights),
            "targets": asdict(self.targets),
            "began_at": self.began_at.isoformat(timespec="seconds"),
            "version": self.version,
            "figures": {
                **figures,
                "error_share": self.figures.error_share,
                "per_s_an_instance": self.figures.per_s_an_instance,
                "spread": self.figures.spread,
            },
            "history": moments,
        }

    def page(self) -> str:
        """Give it as HTML."""
        plan, figures = self.plan, self.figures
        whole = sum(self.weights.values())
        mixture = ", ".join(
            f"{action} {100 * weight / whole:.0f} %" for action, weight in self.weights.items()
        )
        return _template().render(
            plan=plan,
            title=f"{plan.users} user{'s' if plan.users > 1 else ''}, {plan.scenario}",
            figures=figures,
            verdict=self.verdict,
            words=self.words,
            names=self.names,
            mixture=mixture,
            pictures=pictures_of(figures.moments, plan, self.targets, self.names),
            began_at=f"{self.began_at:%Y-%m-%d %H:%M} UTC",
            version=self.version,
        )


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=ChoiceLoader(
            [
                PackageLoader("quetzalcore.ops.stress", "load"),
                PackageLoader("quetzalcore.reporting"),
            ]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.filters["inline"] = inline
    return environment.get_template("report.html.j2")
