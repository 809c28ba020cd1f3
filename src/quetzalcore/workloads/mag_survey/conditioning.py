"""The conditioning steps in their order: which apply, what each changed, and why others did not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from quetzalcore.errors import BadSurvey, UserMistake
from quetzalcore.formats import ChannelState
from quetzalcore.geophysics import conditioning, igrf
from quetzalcore.geophysics.conditioning import BaseStation, LevellingResult, StepResult
from quetzalcore.geophysics.quality import LineKind, LineSummary
from quetzalcore.geophysics.survey import Floats, HeightRole, Survey
from quetzalcore.workloads.mag_survey.config import Stage, SurveyConfig
from quetzalcore.workloads.mag_survey.reading import Inputs
from quetzalcore.workloads.mag_survey.record import Outcome, StageLog, StageRecord
from quetzalcore.workloads.mag_survey.surroundings import IGRF_NAME, survey_date

__all__ = ["Conditioned", "Levelled", "condition", "is_total_field"]

_WITHOUT_MAIN_FIELD = frozenset({ChannelState.IGRF_REMOVED})
_TOTAL_FIELD_FROM_NT = 15_000.0  # the main field is nowhere weaker than about 22,000 nT
_FIELD_GRADIENT_NT_PER_M = 0.03  # the largest there is, near the poles
_GROUND_UNKNOWN = (
    "IGRF is taken at the height above ground: each 100 m of ground elevation shifts it by up to "
    f"{100 * _FIELD_GRADIENT_NT_PER_M:.0f} nT (give --dem)"
)
_GEOID_UNKNOWN = (
    "heights are not ellipsoidal and the geoid's height is unknown: where it is 30 m, IGRF is off by "
    f"up to {30 * _FIELD_GRADIENT_NT_PER_M:.1f} nT, nearly constant over a survey (give --geoid-height)"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Levelled:
    """What levelling did: the step, and the crossovers' misfits before and after it, nT."""

    result: LevellingResult
    before_nt: Floats
    after_nt: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conditioned:
    """The survey after every step, and what later stages need to know of the steps."""

    survey: Survey
    igrf_removed: bool
    levelling: Levelled | None


@dataclass(slots=True, kw_only=True)
class _Bench:
    """The survey as it passes from step to step."""

    survey: Survey
    config: SurveyConfig
    log: StageLog
    progress: Callable[[str], None]

    def step(
        self, stage: Stage, work: Callable[[Survey], StepResult] | None, *, why_not: str = ""
    ) -> StepResult | None:
        """Run one step, or record why it does not run."""
        self.progress(stage)
        if not self.config.runs(stage):
            self._leave(stage, Outcome.SKIPPED, "left out on request")
            return None
        if work is None:
            self._leave(stage, Outcome.NOT_APPLICABLE, why_not)
            return None
        try:
            result = work(self.survey)
        except UserMistake as refusal:
            self._leave(stage, Outcome.NOT_APPLICABLE, str(refusal))
            return None
        self._take(stage, result)
        return result

    def demand(self, stage: Stage, work: Callable[[Survey], StepResult]) -> None:
        """Run a step whose refusal ends the job, because the user asked for it or all hangs on it."""
        self.progress(stage)
        if not self.config.runs(stage):
            self._leave(stage, Outcome.SKIPPED, "left out on request")
            return
        self._take(stage, work(self.survey))

    def _take(self, stage: Stage, result: StepResult) -> None:
        self.survey = self.survey.with_tmi(result.tmi_nt)
        self.log.add(
            StageRecord(
                stage=stage,
                outcome=Outcome.DONE,
                parameters=dict(result.details),
                rows_changed=result.rows_changed,
                rms_change_nt=result.rms_change_nt,
                max_change_nt=result.max_change_nt,
                warnings=result.warnings,
            )
        )

    def _leave(self, stage: Stage, outcome: Outcome, reason: str) -> None:
        self.log.add(StageRecord(stage=stage, outcome=outcome, reason=reason))


def is_total_field(survey: Survey) -> bool:
    """Tell by magnitude whether readings still hold the main field."""
    return bool(np.nanmedian(np.abs(survey.tmi_nt)) > _TOTAL_FIELD_FROM_NT)


def condition(
    inputs: Inputs,
    lines: tuple[LineSummary, ...],
    config: SurveyConfig,
    *,
    log: StageLog,
    progress: Callable[[str], None],
) -> Conditioned:
    """Run the steps in the order of SCIENCE's stage 3.

    A step that the data cannot carry is recorded with the reason. A step that the user asked for by
    a parameter or a file, and the removal of the main field, end the job where they cannot be done.

    Raises
    ------
    UserMistake
        From a step that was asked for.
    """
    bench = _Bench(survey=inputs.survey, config=config, log=log, progress=progress)
    timed = inputs.survey.time_s is not None
    processed = not is_total_field(inputs.survey) or inputs.tmi_state in _WITHOUT_MAIN_FIELD
    threshold = config.despike.threshold
    bench.step(Stage.DESPIKE, lambda s: conditioning.despike(s, threshold=threshold))
    _lag(bench, lines, timed=timed, processed=processed)
    _compensation(bench, inputs)
    _heading(bench, lines, timed=timed, processed=processed)
    _diurnal(bench, inputs.base)
    removed = _main_field(bench, inputs, processed=processed)
    levelled = _levelling(bench, lines)
    always = config.microlevelling.always
    bench.step(Stage.MICROLEVELLING, lambda s: _microlevelled(s, lines, always=always))
    return Conditioned(survey=bench.survey, igrf_removed=removed, levelling=levelled)


def _levelling(bench: _Bench, lines: tuple[LineSummary, ...]) -> Levelled | None:
    if not any(line.kind is LineKind.TIE for line in lines):
        bench.step(Stage.LEVELLING, None, why_not="the survey has no tie lines")
        return None
    before = bench.survey
    result = bench.step(Stage.LEVELLING, lambda s: conditioning.level_ties(s, lines))
    if not isinstance(result, LevellingResult):
        return None
    return Levelled(
        result=result,
        before_nt=conditioning.crossovers(before, lines).misfit_nt,
        after_nt=conditioning.crossovers(bench.survey, lines).misfit_nt,
    )


def _microlevelled(survey: Survey, lines: tuple[LineSummary, ...], *, always: bool) -> StepResult:
    """Microlevel where the crossovers show that it takes off line noise and not geology."""
    step = conditioning.microlevel(survey, lines)
    before, after = (step.details.get(f"crossover_{when}_nt") for when in ("before", "after"))
    if always:
        return step
    if before is None or after is None:
        raise BadSurvey(
            "without crossovers nothing tells line noise from geology",
            hint="set microlevelling.always to do it all the same",
        )
    if float(after) >= float(before):
        raise BadSurvey(
            f"it would take off geology: the crossovers' spread would go from {float(before):.2f} "
            f"to {float(after):.2f} nT"
        )
    return step


def _lag(bench: _Bench, lines: tuple[LineSummary, ...], *, timed: bool, processed: bool) -> None:
    lag_s = bench.config.lag.lag_s
    if lag_s is not None:
        bench.demand(Stage.LAG, lambda s: conditioning.correct_lag(s, lag_s=lag_s, lines=lines))
        return
    bench.step(
        Stage.LAG,
        (lambda s: conditioning.correct_lag(s, lines=lines)) if timed and not processed else None,
        why_not=_as_processed(timed=timed),
    )


def _heading(
    bench: _Bench, lines: tuple[LineSummary, ...], *, timed: bool, processed: bool
) -> None:
    bench.step(
        Stage.HEADING,
        (lambda s: conditioning.correct_heading(s, lines)) if timed and not processed else None,
        why_not=_as_processed(timed=timed),
    )


def _as_processed(*, timed: bool) -> str:
    if timed:
        return "the readings already are an anomaly: corrections of the raw field came before"
    return "the file has no times, so the order and direction of flight are not known"


def _compensation(bench: _Bench, inputs: Inputs) -> None:
    calibration = inputs.calibration
    if calibration is None:
        bench.step(Stage.COMPENSATION, None, why_not="no calibration flight was given")
        return
    bench.demand(
        Stage.COMPENSATION,
        lambda s: conditioning.compensate(s, conditioning.fit_compensation(calibration)),
    )


def _diurnal(bench: _Bench, base: BaseStation | None) -> None:
    if base is None:
        bench.step(Stage.DIURNAL, None, why_not="no base station was given")
        return
    datum = bench.config.diurnal.datum_nt
    bench.demand(Stage.DIURNAL, lambda s: conditioning.correct_diurnal(s, base, datum_nt=datum))


def _main_field(bench: _Bench, inputs: Inputs, *, processed: bool) -> bool:
    if processed:
        bench.step(Stage.IGRF, None, why_not=_already_anomaly(inputs))
        return False
    bench.demand(Stage.IGRF, lambda s: _without_main_field(s, inputs, bench.config))
    return bench.config.runs(Stage.IGRF)


def _already_anomaly(inputs: Inputs) -> str:
    middle = float(np.nanmedian(inputs.survey.tmi_nt))
    return (
        f"the readings are an anomaly already: by its name column {inputs.tmi_column} is "
        f"{inputs.tmi_state}, and its median is {middle:,.0f} nT"
    )


def _without_main_field(survey: Survey, inputs: Inputs, config: SurveyConfig) -> StepResult:
    if survey.longitude_deg is None or survey.latitude_deg is None:
        raise BadSurvey(
            "the main field cannot be removed: the survey has no coordinate system",
            hint="give --crs, or --skip igrf where the readings are an anomaly already",
        )
    year = _years(survey, config)
    height, warnings = _ellipsoidal_height(survey, inputs, config)
    field = igrf.survey_total(
        survey.longitude_deg, survey.latitude_deg, height, year, bound_nt=config.igrf.bound_nt
    )
    step = conditioning.remove_main_field(survey, field.total_nt)
    return StepResult(
        name=step.name,
        tmi_nt=step.tmi_nt,
        rows_changed=step.rows_changed,
        rms_change_nt=step.rms_change_nt,
        max_change_nt=step.max_change_nt,
        details={
            **step.details,
            "model": IGRF_NAME,
            "error_bound_nt": field.bound_nt,
            "method": field.method,
        },
        warnings=(*step.warnings, *warnings),
    )


def _years(survey: Survey, config: SurveyConfig) -> Floats:
    middle = survey_date(survey, config.input.date)
    if middle is None:
        raise BadSurvey(
            "the readings are a total field and the survey has no date",
            hint="give --date YYYY-MM-DD, or --skip igrf where the main field is removed already",
        )
    fixed = igrf.decimal_year(middle)
    if survey.time_s is None:
        return np.array([fixed])
    years = igrf.decimal_years(survey.time_s)
    return np.where(np.isfinite(years), years, fixed)


def _ellipsoidal_height(
    survey: Survey, inputs: Inputs, config: SurveyConfig
) -> tuple[Floats, tuple[str, ...]]:
    geoid = config.input.geoid_height_m
    if survey.height_m is None:
        return np.zeros(1), ("IGRF is taken at height 0: the survey has no heights",)
    middle = float(np.nanmedian(survey.height_m))
    height = np.where(np.isfinite(survey.height_m), survey.height_m, middle)
    if survey.height_role is HeightRole.ELLIPSOIDAL:
        return height, ()
    if survey.height_role is HeightRole.CLEARANCE:
        ground = inputs.ground_elevation_m(survey)
        if ground is None:
            return height, (_GROUND_UNKNOWN,)
        height = height + ground
    if geoid is None:
        return height, (_GEOID_UNKNOWN,)
    return height + geoid, ()
