"""The International Geomagnetic Reference Field, 14th generation, 1900 to 2030."""

from __future__ import annotations

from quetzalcore.geophysics.igrf.main_field import Field, field, main_field_direction
from quetzalcore.geophysics.igrf.survey_path import (
    SurveyField,
    SurveyTotal,
    survey_field,
    survey_total,
)
from quetzalcore.geophysics.igrf.years import decimal_year, decimal_years

__all__ = [
    "Field",
    "SurveyField",
    "SurveyTotal",
    "decimal_year",
    "decimal_years",
    "field",
    "main_field_direction",
    "survey_field",
    "survey_total",
]
