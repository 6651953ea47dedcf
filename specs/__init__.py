"""specs."""

from specs._errors import SpecError as SpecError
from specs._errors import SuperviseError as SuperviseError
